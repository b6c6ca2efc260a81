"""Expenses: amounts, the client's currency, and the lock that an invoice is."""

from typing import Any

import pytest

from hoursmith_console.sandbox.models import Project
from tests.hoursmith_console.sandbox.fixtures import NOWHERE, World, code, fields

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("no_limits")]


def _make(world: World, **more: Any) -> Any:
    body = {
        "clientId": str(world.client.pk),
        "description": "Taxi",
        "amount": "9.90",
        "expenseDate": "2026-03-03",
        **more,
    }
    return world.manager.post("/expenses", {name: value for name, value in body.items() if value is not ...})


def test_the_currency_is_the_clients_or_else_the_workspaces(world: World) -> None:
    made = _make(world).json()["data"]
    assert (made["currency"], made["amount"], made["category"], made["billable"]) == ("USD", "9.90", "OTHER", True)
    assert _make(world, clientId=str(world.idle_client.pk)).json()["data"]["currency"] == "EUR"
    moved = world.manager.patch(f"/expenses/{made['id']}", {"clientId": str(world.idle_client.pk)}).json()["data"]
    assert moved["currency"] == "EUR"
    assert fields(_make(world, currency="EUR")) == {"currency": "cannot be set"}


@pytest.mark.parametrize(
    ("more", "faulty"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": "-1"}, "amount"),
        ({"amount": "1.005"}, "amount"),
        ({"amount": 0.001}, "amount"),
        ({"amount": ...}, "amount"),
        ({"description": ""}, "description"),
        ({"description": "x" * 501}, "description"),
        ({"expenseDate": ...}, "expenseDate"),
        ({"clientId": NOWHERE}, "clientId"),
        ({"projectId": NOWHERE}, "projectId"),
        ({"category": "FUN"}, "category"),
    ],
)
def test_what_does_not_fit_is_named(world: World, more: dict[str, Any], faulty: str) -> None:
    assert list(fields(_make(world, **more))) == [faulty]


def test_the_project_must_be_the_clients(world: World) -> None:
    other = world.make(Project, client=world.idle_client, name="Other")
    assert list(fields(_make(world, projectId=str(other.pk)))) == ["projectId"]
    made = _make(world, projectId=str(world.site.pk)).json()["data"]
    moved = world.manager.patch(f"/expenses/{made['id']}", {"clientId": str(world.idle_client.pk)})
    assert list(fields(moved)) == ["projectId"]


@pytest.mark.parametrize("role", ["owner", "admin", "manager"])
def test_nobody_changes_or_deletes_invoiced_expenses(world: World, role: str) -> None:
    address = f"/expenses/{world.locked_expense.pk}"
    assert code(world.caller(role).patch(address, {"description": "x"})) == (409, "conflict")
    assert code(world.caller(role).delete(address)) == (409, "conflict")
