"""Faulty HTTP: one clear error that repeats nothing, in both eras, and the process lives."""

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS

from tests.mcpbridge.mcp_client import MARK, Wire, refused
from tests.servers import Served

pytestmark = pytest.mark.usefixtures("quiet_log")

PARSE_ERROR, HEADER_MISMATCH, UNSUPPORTED_VERSION = -32700, -32020, -32022


@pytest.fixture
def modern(console: Served, owner_token: str, http: httpx.Client) -> Wire:
    """A client of the stateless era."""
    return Wire(console.mcp_url, owner_token, http)


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", MARK]
)
def test_a_body_of_another_content_type_is_refused(wire: Wire, content_type: str | None) -> None:
    headers = wire.headers("tools/list")
    del headers["Content-Type"]
    if content_type is not None:
        headers["Content-Type"] = content_type
    refused(wire.post(wire.request("tools/list"), headers), status=415)


@pytest.mark.parametrize("accept", ["text/html", "text/event-stream", "image/*", MARK])
def test_a_client_that_takes_no_json_is_refused(wire: Wire, accept: str) -> None:
    headers = {**wire.headers("tools/list"), "Accept": accept}
    refused(wire.post(wire.request("tools/list"), headers), status=406)


@pytest.mark.parametrize("accept", ["*/*", "application/*", "application/json;q=0.5", "text/html, application/json"])
def test_a_client_that_takes_json_among_others_is_served(wire: Wire, accept: str) -> None:
    headers = {**wire.headers("tools/list"), "Accept": accept}
    assert wire.post(wire.request("tools/list"), headers).status_code == 200


@pytest.mark.parametrize("version", ["1999-01-01", "2026-07-29", "latest", "", f"2026-07-28 {MARK}", MARK * 3])
def test_a_protocol_version_that_is_not_served_is_refused(wire: Wire, version: str) -> None:
    headers = {**wire.headers("tools/list"), "MCP-Protocol-Version": version}
    error = refused(wire.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers), status=400)
    assert error["code"] in (UNSUPPORTED_VERSION, HEADER_MISMATCH)
    if error["code"] == UNSUPPORTED_VERSION:
        assert error["data"]["supported"] == list(KNOWN_PROTOCOL_VERSIONS)


@pytest.mark.parametrize("name", ["MCP-Protocol-Version", "Mcp-Session-Id", "Mcp-Method"])
def test_a_header_that_decides_the_way_stands_once(wire: Wire, name: str) -> None:
    lines = [*wire.headers("tools/list").items(), (name, "a"), (name, MARK)]
    refused(wire.post(wire.request("tools/list"), lines), status=400)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_another_method_than_post_is_refused(wire: Wire, method: str) -> None:
    response = wire.http.request(method, wire.url, headers={**wire.headers(), "Accept": "text/event-stream"})
    refused(response, status=405)
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "path", ["/x", "/readonly/x", "/c/", "/c/a%20b", f"/c/{'a' * 41}", "/c/a/b", f"/{MARK}", "/../mcp/%2e%2e"]
)
def test_an_address_below_mcp_that_does_not_exist_is_refused(wire: Wire, path: str) -> None:
    response = wire.http.post(wire.url + path, json=wire.request("tools/list"), headers=wire.headers("tools/list"))
    refused(response, status=404)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"http://{MARK}", "http://127.0.0.1.evil.example", "x"]
)
def test_a_page_of_a_foreign_origin_is_refused(wire: Wire, origin: str) -> None:
    headers = {**wire.headers("tools/list"), "Origin": origin}
    refused(wire.post(wire.request("tools/list"), headers), status=403)


@pytest.mark.parametrize(
    "host", ["evil.example", f"{MARK}.example", "127.0.0.1.evil.example:8000", "a@127.0.0.1", "127.0.0.1:x"]
)
def test_a_foreign_host_is_refused(wire: Wire, host: str) -> None:
    headers = {**wire.headers("tools/list"), "Host": host}
    refused(wire.post(wire.request("tools/list"), headers), status=421)


def test_a_huge_body_is_refused_whether_or_not_it_says_so(wire: Wire) -> None:
    huge = b'{"a": "' + MARK.encode() * 150_000 + b'"}'
    refused(wire.post(huge), status=413)

    def drip() -> Iterator[bytes]:
        for start in range(0, len(huge), 65536):
            yield huge[start : start + 65536]

    refused(wire.http.post(wire.url, content=drip(), headers=wire.headers()), status=413)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
def test_deep_nesting_is_refused(wire: Wire, opening: bytes, closing: bytes) -> None:
    for depth in (100, 50_000):
        body = json.dumps(wire.request("tools/call", {"name": "list_clients", "arguments": {"search": "x"}})).encode()
        deep = body.replace(b'"x"', opening * depth + b"1" + closing * depth)
        refused(wire.post(deep, wire.headers("tools/call", "list_clients")), status=400, code=PARSE_ERROR)


def test_brackets_in_a_text_are_no_nesting(wire: Wire) -> None:
    assert wire.data("list_clients", search="[" * 150 + '\\"{') == []


@pytest.mark.parametrize(
    ("header", "value"),
    [("Mcp-Method", "tools/call"), ("Mcp-Method", MARK), ("Mcp-Method", ""), ("Mcp-Name", MARK), ("Mcp-Name", "")],
)
def test_headers_of_the_stateless_era_say_what_the_body_says(modern: Wire, header: str, value: str) -> None:
    method, params = ("tools/list", {}) if header == "Mcp-Method" else ("tools/call", {"name": "get_me"})
    headers = {**modern.headers(method, "get_me"), header: value}
    refused(modern.post(modern.request(method, params), headers), status=400, code=HEADER_MISMATCH)


@pytest.mark.parametrize("meta", [None, {}, [], MARK, {"io.modelcontextprotocol/protocolVersion": "1999-01-01"}])
def test_a_request_of_the_stateless_era_carries_its_envelope(modern: Wire, meta: Any) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    refused(modern.post(body, modern.headers("tools/list")), status=400)


def test_an_accept_header_on_two_lines_is_one_list(wire: Wire) -> None:
    usual = wire.headers("tools/list")
    del usual["Accept"]
    lines = [*usual.items(), ("Accept", "application/json"), ("Accept", "text/event-stream")]
    assert wire.post(wire.request("tools/list"), lines).status_code == 200


@pytest.mark.parametrize("said", [("true", "false"), ("false", "true"), ("yes",), ("",), ("false, true",)])
def test_a_header_that_asks_for_less_is_never_overruled(wire: Wire, said: tuple[str, ...]) -> None:
    lines = [*wire.headers("tools/list").items(), *[("X-MCP-Readonly", each) for each in said]]
    tools = wire.post(wire.request("tools/list"), lines).json()["result"]["tools"]
    assert "list_clients" in {tool["name"] for tool in tools}
    assert {tool["annotations"]["readOnlyHint"] for tool in tools} == {True}


PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


def on_one_connection(console: Served, *requests: bytes) -> list[tuple[int, str]]:
    """Status and Connection header of each answer on one connection, until it is closed."""
    answers: list[tuple[int, str]] = []
    with socket.create_connection(("127.0.0.1", console.port), timeout=30) as line:
        for request in requests:
            try:
                line.sendall(request)
                response = http.client.HTTPResponse(line)
                response.begin()
            except OSError:
                break
            response.read()
            answers.append((response.status, response.headers.get("Connection", "")))
    return answers


def raw(path: str, token: str, body: bytes, *, declared: int | None = None) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body) if declared is None else declared}\r\n\r\n"
    )
    return head.encode() + body


@pytest.mark.parametrize("path", ["/mcp", "/accounts/login/"])
def test_a_connection_ends_exactly_where_that_is_announced(console: Served, owner_token: str, path: str) -> None:
    good = raw("/mcp", owner_token, PING)
    for unread in (raw("/mcp", owner_token, b"{"), raw("/mcp", "hsk_", PING), raw("/mcp/elsewhere", owner_token, PING)):
        (_, announced), *others = on_one_connection(console, unread, good)
        assert (announced, others) == ("", [(200, "")])
    # The rest of a body that is too large to be read would be taken for the next request.
    cut_off = raw(path, owner_token, b"x" * 100, declared=5_000_000)
    assert on_one_connection(console, cut_off, good) == [(413, "close")]
