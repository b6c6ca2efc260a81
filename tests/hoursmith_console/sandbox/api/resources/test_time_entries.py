"""Time entries: durations, timers, and the lock that an invoice is."""

from typing import Any

import pytest

from tests.hoursmith_console.sandbox.fixtures import NOWHERE, World, code, fields

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("no_limits")]


def _make(world: World, **more: Any) -> Any:
    body = {"projectId": str(world.site.pk), "entryDate": "2026-03-03", "durationSeconds": 60, **more}
    return world.member.post("/time-entries", {name: value for name, value in body.items() if value is not ...})


@pytest.mark.parametrize(
    ("spoken", "seconds"),
    [
        ("1h30m", 5400),
        ("1:30", 5400),
        ("90m", 5400),
        ("1.5h", 5400),
        ("2h", 7200),
        ("0m", 0),
        ("0:05", 300),
        ("0.25h", 900),
        ("10h5m", 36300),
    ],
)
def test_durations_are_read_as_people_write_them(world: World, spoken: str, seconds: int) -> None:
    assert _make(world, durationSeconds=..., duration=spoken).json()["data"]["durationSeconds"] == seconds


@pytest.mark.parametrize("spoken", ["1:60", "90", "1h 30m", "-1h", "h", "1.5", "1d", "9999h", "٣h", 90])
def test_other_durations_are_refused(world: World, spoken: Any) -> None:
    assert list(fields(_make(world, durationSeconds=..., duration=spoken))) == ["duration"]


def test_seconds_win_over_words_and_one_of_them_is_needed(world: World) -> None:
    made = _make(world, durationSeconds=61, duration="1h").json()["data"]
    assert made["durationSeconds"] == 61
    assert "duration" not in made
    assert list(fields(_make(world, durationSeconds=...))) == ["durationSeconds"]


@pytest.mark.parametrize(
    ("more", "faulty"),
    [
        ({"durationSeconds": -1}, "durationSeconds"),
        ({"durationSeconds": 1.5}, "durationSeconds"),
        ({"durationSeconds": "60"}, "durationSeconds"),
        ({"durationSeconds": 10**9}, "durationSeconds"),
        ({"durationSeconds": None, "duration": "1h"}, "durationSeconds"),
        ({"entryDate": ...}, "entryDate"),
        ({"projectId": ...}, "projectId"),
        ({"taskId": NOWHERE}, "taskId"),
        ({"invoiceId": NOWHERE}, "invoiceId"),
        ({"stoppedAt": "2026-03-03T10:00:00Z"}, "startedAt"),
        ({"startedAt": "2026-03-03T10:00:00Z", "stoppedAt": "2026-03-03T09:00:00Z"}, "stoppedAt"),
        ({"startedAt": "2026-03-03T10:00:00"}, "startedAt"),
        ({"startedAt": "2026-03-03"}, "startedAt"),
    ],
)
def test_what_does_not_fit_is_named(world: World, more: dict[str, Any], faulty: str) -> None:
    assert list(fields(_make(world, **more))) == [faulty]


def test_the_task_must_belong_to_the_project(world: World) -> None:
    assert list(fields(_make(world, taskId=str(world.shop_task.pk)))) == ["taskId"]
    made = _make(world, taskId=str(world.own_task.pk)).json()["data"]
    moved = world.owner.patch(f"/time-entries/{made['id']}", {"projectId": str(world.shop.pk)})
    assert list(fields(moved)) == ["taskId"]
    both = {"projectId": str(world.shop.pk), "taskId": str(world.shop_task.pk)}
    assert world.owner.patch(f"/time-entries/{made['id']}", both).status_code == 200


@pytest.mark.parametrize("role", ["owner", "admin", "manager", "member"])
def test_nobody_changes_or_deletes_invoiced_time(world: World, role: str) -> None:
    address = f"/time-entries/{world.locked_entry.pk}"
    assert code(world.caller(role).patch(address, {"note": "x"})) == (409, "conflict")
    assert code(world.caller(role).delete(address)) == (409, "conflict")
    assert world.caller(role).get(address).json()["data"]["invoiceId"] == str(world.invoice.pk)


def test_a_timer_runs_once_a_person_and_stopping_it_tells_how_long(world: World) -> None:
    assert world.member.get("/time-entries/running").json() == {"data": None}
    timer = _make(world, durationSeconds=0, startedAt="2026-03-03T09:00:00+01:00").json()["data"]
    assert (timer["startedAt"], timer["stoppedAt"]) == ("2026-03-03T08:00:00.000Z", None)
    assert world.member.get("/time-entries/running").json()["data"] == timer
    assert world.owner.get("/time-entries/running").json() == {"data": None}
    assert code(_make(world, startedAt="2026-03-03T09:30:00Z")) == (409, "conflict")
    stop = {"stoppedAt": "2026-03-03T09:00:00Z"}
    stopped = world.member.patch(f"/time-entries/{timer['id']}", stop).json()["data"]
    assert stopped["durationSeconds"] == 3600
    assert world.member.get("/time-entries/running").json() == {"data": None}
    assert _make(world, startedAt="2026-03-03T09:30:00Z").status_code == 201
    restarted = world.member.patch(f"/time-entries/{timer['id']}", {"stoppedAt": None})
    assert code(restarted) == (409, "conflict")


def test_a_deleted_timer_no_longer_runs(world: World) -> None:
    timer = _make(world, startedAt="2026-03-03T09:00:00Z").json()["data"]
    assert world.member.delete(f"/time-entries/{timer['id']}").status_code == 204
    assert _make(world, startedAt="2026-03-03T09:30:00Z").status_code == 201
