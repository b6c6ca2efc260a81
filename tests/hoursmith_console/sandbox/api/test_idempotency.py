"""A POST that is sent twice is carried out once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.urls import include, path

from hoursmith_console.sandbox.api import idempotency
from hoursmith_console.sandbox.api.dispatch import Api
from hoursmith_console.sandbox.api.errors import ConflictError
from hoursmith_console.sandbox.api.operations import RequestContext
from hoursmith_console.sandbox.api.resources.clients import CLIENTS
from hoursmith_console.sandbox.models import Client, IdempotencyRecord, Token
from tests.hoursmith_console.sandbox.fixtures import NOWHERE, Caller, World, code, fields

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("no_limits")]

NOW = 1_774_000_000.0
DAY = 24 * 3600


def _names() -> list[str]:
    return list(Client.objects.filter(name__startswith="New").order_by("name").values_list("name", flat=True))


def test_a_repeat_gets_the_first_answer_word_for_word(world: World) -> None:
    first = world.owner.post("/clients", {"name": "New"}, key="k")
    again = world.owner.post("/clients", {"name": "New"}, key="k")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert _names() == ["New"]


def test_the_answer_stays_the_first_one_when_the_record_changes(world: World) -> None:
    first = world.owner.post("/clients", {"name": "New"}, key="k")
    world.owner.patch(f"/clients/{first.json()['data']['id']}", {"name": "Newer"})
    assert world.owner.post("/clients", {"name": "New"}, key="k").json()["data"]["name"] == "New"


def test_the_same_body_may_be_spelt_otherwise(world: World) -> None:
    first = world.owner.post("/clients", b'{"name":"New","phone":"1"}', key="k")
    again = world.owner.post("/clients", b'{ "phone": "1", "name": "New" }', key="k")
    assert again.content == first.content


def test_another_body_under_the_same_key_is_a_conflict(world: World) -> None:
    world.owner.post("/clients", {"name": "New"}, key="k")
    assert code(world.owner.post("/clients", {"name": "New 2"}, key="k")) == (409, "conflict")
    assert _names() == ["New"]


def test_another_path_token_or_key_is_another_request(world: World) -> None:
    world.owner.post("/clients", {"name": "New 1"}, key="k")
    world.owner.post("/clients", {"name": "New 2"}, key="l")
    world.admin.post("/clients", {"name": "New 3"}, key="k")
    body = {"clientId": str(world.client.pk), "name": "New"}
    assert world.owner.post("/projects", body, key="k").status_code == 201
    assert _names() == ["New 1", "New 2", "New 3"]
    assert world.owner.post(f"/projects/{world.site.pk}/archive", key="k").status_code == 200
    assert world.owner.post(f"/projects/{world.shop.pk}/archive", key="k").status_code == 200


@pytest.mark.parametrize("address", ["/clients", "/projects", "/tasks", "/time-entries", "/expenses"])
def test_every_creation_needs_a_key(world: World, address: str) -> None:
    assert fields(world.owner.post(address, {}, key=None))["Idempotency-Key"] == "required"


@pytest.mark.parametrize("noun", ["projects", "tasks"])
def test_the_archive_calls_need_a_key_and_repeat(world: World, noun: str) -> None:
    address = f"/{noun}/{(world.site if noun == 'projects' else world.own_task).pk}/archive"
    assert fields(world.owner.post(address, key=None)) == {"Idempotency-Key": "required"}
    first = world.owner.post(address, key="k")
    assert world.owner.post(address, {}, key="k").content == first.content
    assert first.json()["data"]["deletedAt"] is not None


def test_a_key_has_at_most_255_characters(world: World) -> None:
    assert world.owner.post("/clients", {"name": "New"}, key="k" * 255).status_code == 201
    answer = world.owner.post("/clients", {"name": "New"}, key="k" * 256)
    assert fields(answer) == {"Idempotency-Key": "must have at most 255 characters"}


def test_only_successes_are_kept(world: World) -> None:
    body = {"clientId": NOWHERE, "name": "New"}
    assert code(world.owner.post("/projects", body, key="k")) == (422, "validation_error")
    assert code(world.owner.post("/projects", {**body, "clientId": str(world.client.pk)}, key="k")) == (201, "")
    assert code(world.owner.post(f"/tasks/{NOWHERE}/archive", key="l")) == (404, "not_found")
    assert IdempotencyRecord.objects.count() == 1


def test_a_key_is_forgotten_after_a_day(world: World, serve_at: Callable[[float], Any]) -> None:
    clock = serve_at(NOW)
    first = world.owner.post("/clients", {"name": "New"}, key="k")
    clock.now += DAY - 1
    assert world.owner.post("/clients", {"name": "New"}, key="k").content == first.content
    clock.now += 2
    assert world.owner.post("/clients", {"name": "New 2"}, key="k").status_code == 201
    assert _names() == ["New", "New 2"]


def _claim(caller: Caller, clock: Any) -> IdempotencyRecord:
    """Another worker has begun with this key and is not done."""
    token = Token.objects.get(prefix=caller.token.split("_")[2])
    now = datetime.fromtimestamp(clock.now, UTC)
    return idempotency.claim(token=token, path="POST /clients", key="k", body={"name": "New"}, now=now)


def test_a_repeat_while_the_first_is_running_is_a_conflict(world: World, serve_at: Callable[[float], Any]) -> None:
    clock = serve_at(NOW)
    record = _claim(world.owner, clock)
    assert code(world.owner.post("/clients", {"name": "New"}, key="k")) == (409, "conflict")
    assert _names() == []
    idempotency.release(record)
    assert world.owner.post("/clients", {"name": "New"}, key="k").status_code == 201


def test_a_key_left_behind_by_a_dead_process_is_taken_over(world: World, serve_at: Callable[[float], Any]) -> None:
    clock = serve_at(NOW)
    left_behind = _claim(world.owner, clock)
    clock.now += 61
    assert world.owner.post("/clients", {"name": "New"}, key="k").status_code == 201
    # Should the first owner be alive after all, its work must not stand beside the other's.
    with pytest.raises(ConflictError):
        idempotency.finish(left_behind, status=201, body="{}")
    idempotency.release(left_behind)
    assert world.owner.post("/clients", {"name": "New"}, key="k")["Idempotent-Replayed"] == "true"


def test_a_demoted_caller_does_not_get_the_old_answer_again(world: World) -> None:
    world.manager.post("/clients", {"name": "New"}, key="k")
    world.manager.member.role = "MEMBER"
    world.manager.member.save()
    assert code(world.manager.post("/clients", {"name": "New"}, key="k")) == (403, "forbidden_scope")


def test_what_goes_wrong_unexpectedly_leaves_neither_record_nor_key(world: World, settings: Any) -> None:
    def run(context: RequestContext) -> None:
        world.make(Client, name="New")
        raise RuntimeError

    operation = replace(CLIENTS.create_operation(), run=run)
    settings.ROOT_URLCONF = (path("sandbox/api/", include(Api([operation]).urls())),)
    assert code(world.owner.post("/clients", {"name": "New"}, key="k")) == (500, "internal")
    assert _names() == []
    assert not IdempotencyRecord.objects.exists()
