"""What every answer has in common, and input that nobody should send."""

import json
import logging
import uuid
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client as HttpClient
from django.urls import include, path
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hoursmith_console.sandbox.api.auth_context import EVERYONE
from hoursmith_console.sandbox.api.bodies import BODY_LIMIT
from hoursmith_console.sandbox.api.dispatch import Api
from hoursmith_console.sandbox.api.operations import Operation, RequestContext
from tests.generated import examples
from tests.hoursmith_console.sandbox.fixtures import BASE, NOWHERE, World, code, fields, send

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("no_limits")]


def test_every_answer_says_what_is_left_and_is_not_stored(world: World) -> None:
    answers = [
        world.owner.get("/me"),
        world.owner.get("/nowhere"),
        world.owner.delete(f"/expenses/{world.expense.pk}"),
        world.owner.post("/clients", {}),
        send("GET", "/me"),
    ]
    for answer in answers:
        assert answer["Cache-Control"] == "no-store"
        assert all(int(answer[f"X-RateLimit-{name}"]) >= 0 for name in ("Limit", "Remaining", "Reset"))
        assert "Cookie" not in answer.get("Vary", "")


@pytest.mark.parametrize(
    "address", ["/", "/nope", "/clients/", f"/clients/{NOWHERE}/x", "/time-entries/running/", "/a%0ab"]
)
def test_an_unknown_address_is_not_found_and_redirects_nowhere(world: World, address: str) -> None:
    assert code(world.owner.get(address)) == (404, "not_found")
    assert code(send("GET", address)) == (401, "unauthenticated")


@pytest.mark.parametrize("address", ["/sandbox/api/", "/sandbox/api/v2/me", "/sandbox/api/v1"])
def test_addresses_beside_the_version_answer_in_the_envelope_too(world: World, address: str) -> None:
    answer = HttpClient().get(address, headers={"authorization": f"Bearer {world.owner.token}"})
    assert code(answer) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "address", "allowed"),
    [
        ("PUT", "/clients", "GET, POST"),
        ("POST", "/me", "GET"),
        ("DELETE", "/tasks/x", "GET, PATCH"),
        ("PATCH", "/time-entries/running", "GET"),
        ("OPTIONS", "/clients", "GET, POST"),
        ("TRACE", "/clients", "GET, POST"),
    ],
)
def test_a_wrong_method_names_the_right_ones(world: World, method: str, address: str, allowed: str) -> None:
    answer = world.owner.call(method, address)
    assert code(answer) == (405, "bad_request")
    assert answer["Allow"] == allowed


def test_head_answers_like_get_without_the_body(world: World) -> None:
    answer = world.owner.call("HEAD", "/me")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer["Content-Length"]) == len(world.owner.get("/me").content)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"7",
        b"\xff\xfe",
        b'{"name": "\xff"}',
        b'{"defaultRate": NaN}',
        b'{"defaultRate": -Infinity}',
        b'{"defaultRate": ' + b"9" * 5000 + b"}",
        b'{"defaultRate": 1e99999999999999999999}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xef\xbb\xbf{}",
    ],
    ids=range(14),
)
def test_a_body_that_cannot_be_read_is_a_bad_request(world: World, body: bytes) -> None:
    assert code(world.owner.post("/clients", body)) == (400, "bad_request")


def test_a_body_must_be_sent_as_json(world: World) -> None:
    assert code(world.owner.post("/clients", {"name": "x"}, content_type="text/plain")) == (400, "bad_request")
    answer = world.owner.post("/clients", {"name": "x"}, content_type="application/json; charset=utf-8")
    assert answer.status_code == 201


def test_a_body_may_be_large_but_not_too_large(world: World) -> None:
    assert code(world.owner.post("/clients", b" " * (BODY_LIMIT + 1))) == (413, "bad_request")
    assert code(world.owner.post("/clients", b" " * (BODY_LIMIT - 2) + b"{}")) == (422, "validation_error")


def test_more_query_parameters_than_django_reads_are_a_bad_request(world: World) -> None:
    answer = world.owner.get("/clients?" + "&".join(f"a{number}=1" for number in range(1100)))
    assert code(answer) == (400, "bad_request")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a\x00b", "must not contain NUL characters or invalid Unicode"),
        ("\ud800", "must not contain NUL characters or invalid Unicode"),
        (7, "must be text"),
        (["x"], "must be text"),
        ({"a": 1}, "must be text"),
        ("x" * 201, "must have at most 200 characters"),
        ("", "required"),
        (None, "required"),
    ],
)
def test_a_name_that_cannot_be_kept_is_refused(world: World, value: Any, reason: str) -> None:
    assert fields(world.owner.post("/clients", {"name": value})) == {"name": reason}


@pytest.mark.parametrize("name", ["\ud800", "x" * 10_000, "a\x00", "—"])
def test_any_unknown_field_can_be_named_back(world: World, name: str) -> None:
    faults = fields(world.owner.patch(f"/clients/{world.client.pk}", {name: 1}))
    assert list(faults.values()) == ["unknown field"]
    assert all(len(shown) <= 60 for shown in faults)


def test_parameters_are_unknown_where_there_is_no_list(world: World) -> None:
    assert fields(world.owner.get("/me?limit=5")) == {"limit": "unknown parameter"}
    assert fields(world.owner.delete(f"/clients/{world.idle_client.pk}?force=yes")) == {"force": "unknown parameter"}


def test_a_delete_may_carry_a_body_which_nobody_reads(world: World) -> None:
    answer = world.owner.call("DELETE", f"/clients/{world.idle_client.pk}", b"\xff")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Type" not in answer.headers


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["", "1.5h", "2026-01-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_FIELDS = (
    "name clientId projectId description status rateType hourlyRate budgetHours startDate assigneeIds tags billable "
    "durationSeconds duration entryDate startedAt stoppedAt amount category currency email defaultPaymentTerms"
)
_PARAMETERS = "limit cursor sort search clientName status userId dueDateFrom createdAtTo billable"
_ODD = ("9999-12-31", "0001-01-01T00:00:00+14:00", "-", "--id")
_quietly = settings(
    max_examples=examples(100),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@given(body=st.dictionaries(st.sampled_from(_FIELDS.split()), _json, max_size=4), route=st.integers(0, 4))
@_quietly
def test_no_body_brings_the_api_down(world: World, body: dict[str, Any], route: int) -> None:
    rows = (world.client, world.site, world.own_task, world.own_entry, world.expense)
    noun = ("clients", "projects", "tasks", "time-entries", "expenses")[route]
    raw = json.dumps(body).encode()
    for answer in (world.owner.post(f"/{noun}", raw), world.owner.patch(f"/{noun}/{rows[route].pk}", raw)):
        assert answer.status_code in (200, 201, 400, 409, 422), (body, answer.content)


@given(name=st.sampled_from(_PARAMETERS.split()), value=st.text() | st.integers().map(str) | st.sampled_from(_ODD))
@_quietly
def test_no_parameter_brings_the_api_down(world: World, name: str, value: str) -> None:
    client = HttpClient(headers={"authorization": f"Bearer {world.owner.token}"})
    for noun in ("projects", "tasks", "time-entries"):
        answer = client.get(f"{BASE}/{noun}", {name: value})
        assert answer.status_code in (200, 422), (name, value, answer.content)


def _broken_api(settings: Any, error: Exception) -> None:
    def run(context: RequestContext) -> None:
        raise error

    operation = Operation(name="x", summary="x", method="GET", path="/broken", roles=EVERYONE, run=run, record="Me")
    settings.ROOT_URLCONF = (path("sandbox/api/", include(Api([operation]).urls())),)


def test_an_unexpected_error_says_nothing_and_is_logged_without_the_token(
    world: World, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    _broken_api(settings, RuntimeError("the engine room is on fire"))
    with caplog.at_level(logging.DEBUG):
        answer = world.owner.get("/broken")
    assert code(answer) == (500, "internal")
    assert b"fire" not in answer.content
    assert "fire" in caplog.text
    assert world.owner.token.rsplit("_", 1)[1] not in caplog.text
    assert int(answer["X-RateLimit-Limit"]) == 60


@pytest.mark.parametrize("segment", ["x" * 5000, "%00", "%F0%9F%98%80", "..", "%2e%2e", "a b"])
def test_what_is_no_id_names_no_record(world: World, segment: str) -> None:
    for address in (f"/projects/{segment}", f"/tasks/{segment}"):
        assert code(world.owner.get(address)) == (404, "not_found")
        assert code(world.owner.post(f"{address}/archive")) == (404, "not_found")


def test_ids_are_read_in_either_case(world: World) -> None:
    answer: HttpResponse = world.owner.get(f"/clients/{str(world.client.pk).upper()}")
    assert uuid.UUID(answer.json()["data"]["id"]) == world.client.pk
