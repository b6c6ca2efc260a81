"""Projects: the rules about rates, budgets and dates, and archiving."""

from typing import Any

import pytest

from tests.hoursmith_console.sandbox.fixtures import NOWHERE, World, fields

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("no_limits")]


def _make(world: World, **more: Any) -> Any:
    return world.owner.post("/projects", {"clientId": str(world.client.pk), "name": "New", **more})


def test_a_new_project_is_active_and_hourly(world: World) -> None:
    made = _make(world).json()["data"]
    assert (made["status"], made["rateType"], made["hourlyRate"]) == ("ACTIVE", "HOURLY", None)


@pytest.mark.parametrize(
    ("more", "faulty"),
    [
        ({"budgetHours": 10, "budgetAmount": 100}, "budgetAmount"),
        ({"rateType": "FIXED"}, "fixedFeeAmount"),
        ({"rateType": "fixed", "fixedFeeAmount": None}, "fixedFeeAmount"),
        ({"fixedFeeAmount": 100}, "fixedFeeAmount"),
        ({"rateType": "NON_BILLABLE", "fixedFeeAmount": 100}, "fixedFeeAmount"),
        ({"startDate": "2026-02-02", "dueDate": "2026-02-01"}, "dueDate"),
        ({"clientId": NOWHERE}, "clientId"),
        ({"status": "ARCHIVED"}, "status"),
        ({"rateType": "DAILY"}, "rateType"),
        ({"rateType": None}, "rateType"),
        ({"startDate": "2026-02-30"}, "startDate"),
        ({"startDate": "20260201"}, "startDate"),
        ({"startDate": "2026-02-01T00:00:00Z"}, "startDate"),
        ({"color": "x" * 33}, "color"),
    ],
)
def test_what_must_not_be_together_is_refused(world: World, more: dict[str, Any], faulty: str) -> None:
    assert list(fields(_make(world, **more))) == [faulty]


@pytest.mark.parametrize(
    "more",
    [
        {"budgetHours": 10.5},
        {"budgetHours": "10.5", "budgetAmount": None},
        {"budgetAmount": "100"},
        {"rateType": "FIXED", "fixedFeeAmount": "0"},
        {"startDate": "2026-02-02", "dueDate": "2026-02-02"},
        {"dueDate": "2026-02-01"},
        {"status": "completed", "color": "#2563eb", "description": "x"},
    ],
)
def test_what_fits_is_taken(world: World, more: dict[str, Any]) -> None:
    assert _make(world, **more).status_code == 201


def test_hours_are_numbers_and_money_is_text(world: World) -> None:
    assert _make(world, budgetHours="10.50").json()["data"]["budgetHours"] == 10.5
    assert _make(world, budgetHours=10).json()["data"]["budgetHours"] == 10
    assert _make(world, budgetAmount=10).json()["data"]["budgetAmount"] == "10.00"


def test_a_change_is_judged_by_its_outcome(world: World) -> None:
    address = f"/projects/{_make(world, budgetHours=10, startDate='2026-02-02').json()['data']['id']}"
    assert list(fields(world.owner.patch(address, {"budgetAmount": 5}))) == ["budgetAmount"]
    assert list(fields(world.owner.patch(address, {"dueDate": "2026-02-01"}))) == ["dueDate"]
    assert list(fields(world.owner.patch(address, {"rateType": "FIXED"}))) == ["fixedFeeAmount"]
    changes = {"budgetHours": None, "budgetAmount": 5, "rateType": "FIXED", "fixedFeeAmount": 7}
    assert world.owner.patch(address, changes).status_code == 200
    assert list(fields(world.owner.patch(address, {"rateType": "HOURLY"}))) == ["fixedFeeAmount"]


def test_archiving_and_bringing_back(world: World) -> None:
    address = f"/projects/{world.site.pk}"
    archived = world.owner.post(f"{address}/archive").json()["data"]
    assert archived["status"] == "ARCHIVED"
    assert archived["deletedAt"] == archived["updatedAt"]
    assert world.owner.patch(address, {"name": "Still archived"}).json()["data"]["status"] == "ARCHIVED"
    again = world.owner.post(f"{address}/archive").json()["data"]
    assert again["deletedAt"] == archived["deletedAt"]
    back = world.owner.patch(address, {"status": "ACTIVE"}).json()["data"]
    assert (back["status"], back["deletedAt"]) == ("ACTIVE", None)
    assert "Still archived" in [row["name"] for row in world.owner.list("/projects")]


def test_archiving_takes_no_fields(world: World) -> None:
    answer = world.owner.post(f"/projects/{world.site.pk}/archive", {"status": "ACTIVE"})
    assert fields(answer) == {"status": "unknown field"}


def test_a_client_of_another_workspace_is_no_client(world: World, outside: World) -> None:
    assert list(fields(_make(world, clientId=str(outside.client.pk)))) == ["clientId"]
