"""Faulty tool calls and JSON-RPC: one clear error that repeats nothing, in both eras, and the process lives."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from mcpbridge.tools import TOOLS
from tests.mcpbridge.mcp_client import MARK, MODERN, Wire, refused
from tests.tool_results import error_in

pytestmark = pytest.mark.usefixtures("quiet_log")

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602


def _faulty(tool: str) -> Iterator[tuple[str, dict[str, Any], set[str]]]:
    """For each kind of fault: its name, arguments full of it, and the fields that must be named."""
    schema = TOOLS[tool].input_schema
    fields = schema["properties"]
    texts = {name for name, rules in fields.items() if "string" in rules["type"]}
    enums = {name for name, rules in fields.items() if "enum" in rules}
    required = set(schema.get("required", ()))
    yield "missing", {}, required
    yield "null", dict.fromkeys(required), required
    yield "wrong type", {name: {MARK: [MARK]} for name in fields}, set(fields)
    yield "over-long", dict.fromkeys(texts, MARK * 1100), texts
    yield "unreadable", dict.fromkeys(texts, f"{MARK}\x00\x1b"), texts
    yield "unknown enum", dict.fromkeys(enums, MARK), enums
    yield "extra", {"frobnicate": MARK, f"{MARK}\n": 1}, {"frobnicate", "(unreadable name)"}


@pytest.mark.parametrize("tool", TOOLS)
def test_every_tool_names_every_faulty_argument_at_once(wire: Wire, tool: str) -> None:
    for kind, arguments, fields in _faulty(tool):
        if not fields:
            continue
        error = wire.error(tool, **arguments)
        assert MARK not in json.dumps(error), kind
        assert (error["status"], error["code"]) == (422, "validation_error"), kind
        assert fields <= error["fields"].keys(), kind
        assert len(error["fields"]) <= 30
        assert error["message"]
        assert error["hint"]


def test_a_tool_that_does_not_exist_is_not_repeated(wire: Wire) -> None:
    status = 400 if wire.version == MODERN else 200
    error = refused(wire.send("tools/call", {"name": f"delete_everything_{MARK}"}), status=status, code=INVALID_PARAMS)
    assert "tools/list" in error["message"]


@pytest.mark.parametrize(
    "arguments", [[MARK], MARK, 7, True, f'["{MARK}"]', "7", "{" * 100, '{"a":' * 65 + "1" + "}" * 65], ids=repr
)
def test_arguments_that_are_no_object_are_refused(wire: Wire, arguments: Any) -> None:
    response = wire.send("tools/call", {"name": "get_me", "arguments": arguments})
    error = refused(response, status=400 if wire.version == MODERN else 200, code=INVALID_PARAMS)
    assert "must be an object" in error["message"]


@pytest.mark.parametrize("arguments", [None, [], "", "{}", '{"limit": 2}', '{"limit": "2", "search": null}'], ids=repr)
def test_arguments_that_can_only_mean_one_object_are_that_object(wire: Wire, arguments: Any) -> None:
    response = wire.send("tools/call", {"name": "list_clients", "arguments": arguments})
    result = response.json()["result"]
    assert not result["isError"], result
    if arguments and "limit" in arguments:
        assert result["structuredContent"]["pagination"]["limit"] == 2


@pytest.mark.parametrize("name", [None, 7, [MARK], {"a": MARK}, ""], ids=repr)
def test_a_call_names_its_tool(wire: Wire, name: Any) -> None:
    response = wire.send("tools/call", {"name": name})
    refused(response, status=400 if wire.version == MODERN else 200)


def test_numbers_that_are_none_are_refused_before_anything_is_asked(wire: Wire) -> None:
    for literal in (b"NaN", b"Infinity", b"-Infinity"):
        body = json.dumps(wire.request("tools/call", {"name": "list_clients", "arguments": {"limit": 0}})).encode()
        response = wire.post(
            body.replace(b'"limit": 0', b'"limit": ' + literal), wire.headers("tools/call", "list_clients")
        )
        refused(response, status=400, code=PARSE_ERROR)


@pytest.mark.parametrize("literal", ["1e999", "-1e999", "9" * 400, "0." + "1" * 400, "1e-400"])
def test_a_number_beyond_all_bounds_is_a_fault_like_any_other(wire: Wire, literal: str) -> None:
    body = json.dumps(wire.request("tools/call", {"name": "list_clients", "arguments": {"limit": 0}})).encode()
    body = body.replace(b'"limit": 0', b'"limit": ' + literal.encode())
    response = wire.post(body, wire.headers("tools/call", "list_clients"))
    if response.status_code == 400:
        refused(response, status=400, code=PARSE_ERROR)
    else:
        assert error_in(response.json()["result"])["fields"].keys() == {"limit"}


@pytest.mark.parametrize("escape", [rb"\ud800", rb"\udc00x", rb"\ud800\u0041"])
def test_half_a_character_is_not_json(wire: Wire, escape: bytes) -> None:
    body = json.dumps(wire.request("tools/call", {"name": "list_clients", "arguments": {"search": "x"}})).encode()
    response = wire.post(
        body.replace(b'"search": "x"', b'"search": "' + escape + b'"'), wire.headers("tools/call", "list_clients")
    )
    refused(response, status=400, code=PARSE_ERROR)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        f'{{"jsonrpc": "2.0", "id": 1, "method": "{MARK}'.encode(),
        f"{MARK}".encode(),
        b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}}',
        b"'single'",
        b"\xff\xfe{\x00}\x00",
        b'{"jsonrpc": "2.0", "id": 1, "method": "\xff\xfe"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "\xc0\xaf"}',
        b"\xef\xbb\xbf{}",
        b"\x00" * 1000,
    ],
    ids=range(12),
)
def test_a_body_that_is_not_json_in_utf8_is_refused(wire: Wire, body: bytes) -> None:
    refused(wire.post(body), status=400, code=PARSE_ERROR)


@pytest.mark.parametrize(
    "body",
    [
        None,
        True,
        7,
        MARK,
        [],
        [{"jsonrpc": "2.0", "id": 1, "method": "ping"}, {"jsonrpc": "2.0", "id": 2, "method": MARK}],
        {},
        {"id": 1, "method": "ping"},
        {"jsonrpc": "1.0", "id": 1, "method": "ping"},
        {"jsonrpc": 2.0, "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "2.0", "id": 1, "method": 7},
        {"jsonrpc": "2.0", "id": 1, "method": {"a": MARK}},
        {"jsonrpc": "2.0", "id": None, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1.5, "method": "ping"},
        {"jsonrpc": "2.0", "id": True, "method": "ping"},
        {"jsonrpc": "2.0", "id": [MARK], "method": "ping"},
        {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [MARK]},
        {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": MARK},
    ],
    ids=range(19),
)
def test_json_that_is_no_single_request_is_refused(wire: Wire, body: Any) -> None:
    refused(wire.post(body), status=400, code=INVALID_REQUEST)


def test_an_unknown_method_is_refused(wire: Wire) -> None:
    for method in (f"tools/{MARK}", "resources/list", "frobnicate"):
        refused(wire.send(method), status=404 if wire.version == MODERN else 200, code=METHOD_NOT_FOUND)


def test_a_list_cursor_that_was_never_given_out_is_refused(wire: Wire) -> None:
    response = wire.send("tools/list", {"cursor": MARK})
    refused(response, status=400 if wire.version == MODERN else 200, code=INVALID_PARAMS)


@pytest.mark.parametrize("request_id", ["x" * 5000, 2**63, 10**300, -1, 0, ""], ids=range(6))
def test_any_string_or_whole_number_identifies_a_request(wire: Wire, request_id: Any) -> None:
    response = wire.post(wire.request("tools/list", request_id=request_id), wire.headers("tools/list"))
    if response.status_code == 200:
        assert len(response.json()["result"]["tools"]) == 31
    else:
        refused(response, status=400)


def test_a_notification_is_taken_without_an_answer(wire: Wire) -> None:
    body = {"jsonrpc": "2.0", "method": f"notifications/{MARK}"}
    response = wire.post(body)
    assert (response.status_code, response.content) == (202, b"")


@pytest.fixture
def older(wire: Wire) -> Wire:
    """A client of the revision that has batches, which sends no version in its headers."""
    return dataclasses.replace(wire, version="2025-03-26")


def test_the_revision_with_batches_gets_an_answer_for_each_request(older: Wire) -> None:
    headers = older.headers()
    del headers["MCP-Protocol-Version"]
    batch = [
        older.request("tools/call", {"name": "get_me", "arguments": {}}, request_id="a"),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        older.request("tools/call", {"name": "get_client", "arguments": {"id": MARK}}, request_id=2),
        {"jsonrpc": "2.0", "id": 3, "method": "initialize", "params": {}},
        {"jsonrpc": "2.0", "id": "four", "method": 4},
        [older.request("ping", request_id=5)],
        older.request("ping", request_id=6),
    ]
    answers = older.post(batch, headers).json()
    assert [each["id"] for each in answers] == ["a", 2, 3, "four", None, 6]
    assert answers[0]["result"]["isError"] is False
    assert error_in(answers[1]["result"])["code"] == "validation_error"
    assert [each["error"]["code"] for each in answers[2:5]] == [INVALID_REQUEST] * 3
    assert answers[5]["result"] == {}
    only_told = older.post([{"jsonrpc": "2.0", "method": "notifications/initialized"}], headers)
    assert (only_told.status_code, only_told.content) == (202, b"")


@pytest.mark.parametrize("messages", [0, 21])
def test_a_batch_is_neither_empty_nor_long(older: Wire, messages: int) -> None:
    refused(older.post([older.request("ping")] * messages, older.headers()), status=400, code=INVALID_REQUEST)


def test_other_revisions_have_no_batches(wire: Wire) -> None:
    error = refused(wire.post([wire.request("ping")]), status=400, code=INVALID_REQUEST)
    assert "does not allow batches" in error["message"]


def test_a_faulty_request_is_answered_under_its_own_id(wire: Wire) -> None:
    body = wire.post({"id": "mine", "method": "ping"}).json()
    assert (body["id"], body["error"]["code"]) == ("mine", INVALID_REQUEST)
