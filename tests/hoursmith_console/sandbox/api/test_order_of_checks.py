"""The contract's order of checks: address limit, 401, 402, 429, 403, 422, 404, 409. The earlier fault answers."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.hoursmith_console.sandbox.fixtures import NOWHERE, World, code, send

pytestmark = pytest.mark.django_db(databases="__all__")

BAD = {"name": "", "surprise": 1}


def test_a_bad_token_comes_before_the_plan_and_everything_else(world: World) -> None:
    world.org.plan = "free"
    world.org.save()
    answer = send("POST", f"/clients/{NOWHERE}", b"{", authorization="Bearer nonsense")
    assert code(answer) == (401, "unauthenticated")


def test_the_plan_comes_before_the_rate_limit(world: World, serve_at: Callable[[float], Any]) -> None:
    serve_at(1_000_000)
    for _ in range(61):
        last = world.owner.get("/me")
    assert code(last) == (429, "rate_limited")
    world.org.plan = "free"
    world.org.save()
    assert code(world.owner.get("/me")) == (402, "forbidden_plan")


def test_the_rate_limit_comes_before_the_role_and_the_address(world: World, serve_at: Callable[[float], Any]) -> None:
    serve_at(1_000_000)
    for _ in range(60):
        world.member.get("/clients")
    assert code(world.member.get("/clients")) == (429, "rate_limited")
    assert code(world.member.get("/no/such/address")) == (429, "rate_limited")


def test_the_role_comes_before_the_body(world: World) -> None:
    assert code(world.member.patch(f"/clients/{NOWHERE}", BAD)) == (403, "forbidden_scope")
    assert code(world.member.post("/clients", b"not json", key=None)) == (403, "forbidden_scope")


def test_what_a_member_may_not_do_to_one_task_comes_before_the_body(world: World) -> None:
    assert code(world.member.patch(f"/tasks/{world.open_task.pk}", BAD)) == (403, "forbidden_scope")


@pytest.mark.parametrize("record", [NOWHERE, "no-id"])
def test_the_body_comes_before_the_record(world: World, record: str) -> None:
    assert code(world.owner.patch(f"/clients/{record}", BAD)) == (422, "validation_error")
    assert code(world.member.patch(f"/tasks/{record}", BAD)) == (422, "validation_error")
    assert code(world.owner.patch(f"/clients/{record}", {"name": "Fine"})) == (404, "not_found")
    assert code(world.member.patch(f"/tasks/{record}", {"name": "Fine"})) == (404, "not_found")


def test_a_missing_key_comes_before_the_record(world: World) -> None:
    answer = world.owner.post(f"/projects/{NOWHERE}/archive", key=None)
    assert answer.json()["error"]["fields"] == {"Idempotency-Key": "required"}


def test_the_body_comes_before_the_lock(world: World) -> None:
    locked = f"/time-entries/{world.locked_entry.pk}"
    assert code(world.owner.patch(locked, BAD)) == (422, "validation_error")
    assert code(world.owner.patch(locked, {"projectId": NOWHERE})) == (422, "validation_error")
    assert code(world.owner.patch(locked, {"note": "x"})) == (409, "conflict")


def test_sight_comes_before_the_lock(world: World) -> None:
    assert code(world.other_member.delete(f"/time-entries/{world.locked_entry.pk}")) == (404, "not_found")
    assert code(world.member.delete(f"/time-entries/{world.locked_entry.pk}")) == (409, "conflict")


def test_every_fault_in_body_and_key_is_told_at_once(world: World) -> None:
    answer = world.owner.post("/projects", {"clientId": "x", "surprise": 1, "id": NOWHERE}, key=None)
    assert answer.json()["error"]["fields"] == {
        "clientId": "must be an id (UUID)",
        "surprise": "unknown field",
        "id": "cannot be set",
        "name": "required",
        "Idempotency-Key": "required",
    }
