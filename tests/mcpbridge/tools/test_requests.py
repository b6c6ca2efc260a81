"""A tool call becomes exactly one REST call, with nothing added and nothing rounded."""

import uuid
from typing import Any

import pytest

from mcpbridge.models import CallKind
from mcpbridge.tools import TOOLS, RestRequest
from tests.mcpbridge.tools.examples import EXAMPLES, ID, KEY

DESTRUCTIVE = [name for name, tool in TOOLS.items() if tool.kind is CallKind.DESTRUCTIVE]


def test_every_tool_has_an_example() -> None:
    assert list(EXAMPLES) == list(TOOLS)


@pytest.mark.parametrize("name", TOOLS)
def test_arguments_go_where_the_call_wants_them(name: str) -> None:
    arguments, expected = EXAMPLES[name]
    request = TOOLS[name].request(arguments)
    assert (request.method, request.path, request.query, request.body) == expected
    assert request.idempotency_key == (KEY if request.method == "POST" else None)


@pytest.mark.parametrize("name", [name for name, tool in TOOLS.items() if tool.method == "POST"])
def test_a_post_without_a_key_gets_a_fresh_one_each_time(name: str) -> None:
    arguments = {key: value for key, value in EXAMPLES[name][0].items() if key != "idempotencyKey"}
    keys = {TOOLS[name].request(arguments).idempotency_key for _ in range(3)}
    assert len(keys) == 3
    assert all(uuid.UUID(key) for key in keys)


@pytest.mark.parametrize("value", ["120.50", "0.1", 0.1, 120, 120.5, 99999999999])
def test_money_goes_on_as_it_was_given(value: Any) -> None:
    body = TOOLS["update_client"].request({"id": ID, "defaultRate": value}).body
    assert body == {"defaultRate": value}
    assert type(body["defaultRate"]) is type(value)


def test_a_whole_number_written_with_a_point_goes_on_as_a_whole_number() -> None:
    request = TOOLS["update_time_entry"].request({"id": ID, "durationSeconds": 5400.0})
    assert request.body == {"durationSeconds": 5400}
    assert isinstance(request.body["durationSeconds"], int)


def test_the_callers_arguments_stay_as_they_were() -> None:
    arguments = {"id": ID, "status": "done", "tags": ["a"]}
    TOOLS["update_task"].faults(arguments)
    TOOLS["update_task"].request(arguments)
    assert arguments == {"id": ID, "status": "done", "tags": ["a"]}


@pytest.mark.parametrize("name", TOOLS)
def test_only_a_destructive_tool_reads_the_record_first(name: str) -> None:
    snapshot = TOOLS[name].snapshot_request(EXAMPLES[name][0])
    if name not in DESTRUCTIVE:
        assert snapshot is None
        return
    read = {"client": "get_client", "project": "get_project", "task": "get_task"}.get(TOOLS[name].target_type)
    read = read or f"get_{TOOLS[name].target_type}"
    assert snapshot == RestRequest("GET", TOOLS[read].path.replace("{id}", ID))


@pytest.mark.parametrize("name", TOOLS)
def test_the_target_is_the_record_with_the_given_id(name: str) -> None:
    assert TOOLS[name].target_id(EXAMPLES[name][0]) == EXAMPLES[name][0].get("id", "")
    assert TOOLS[name].target_id({"id": ["not", "text"]}) == ""


@pytest.mark.parametrize(
    ("name", "record", "label"),
    [
        ("delete_client", {"name": "Globex"}, "Globex"),
        ("archive_project", {"name": "  Two\nlines "}, "Two lines"),
        ("archive_task", {"name": "x" * 500}, "x" * 200),
        ("delete_time_entry", {"note": "Call", "entryDate": "2026-11-02"}, "Call"),
        ("delete_time_entry", {"note": None, "entryDate": "2026-11-02"}, "2026-11-02"),
        ("delete_time_entry", {"note": " ", "entryDate": "2026-11-02"}, "2026-11-02"),
        ("delete_expense", {"description": "Train"}, "Train"),
        ("get_invoice", {"number": "HS-7"}, "HS-7"),
        ("get_organization", {"name": "Studio"}, "Studio"),
        ("delete_client", {"name": 7}, ""),
        ("delete_client", {}, ""),
        ("delete_client", None, ""),
        ("get_me", {"tokenName": "laptop"}, ""),
    ],
)
def test_a_record_is_labelled_as_a_person_would_call_it(name: str, record: Any, label: str) -> None:
    assert TOOLS[name].target_label(record) == label
