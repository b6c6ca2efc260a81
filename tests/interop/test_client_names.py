"""A client's name for itself survives from request to request, though no session is kept and any worker answers."""

import http.client
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.interop.clients import LATEST_OF_INITIALIZE, MODERN
from tests.servers import Served

pytestmark = pytest.mark.slow

# Each on a connection of its own; that all of them meet the same one of two workers is as good as impossible.
CONNECTIONS = 24


def post(console: Served, token: str, body: dict[str, Any], **headers: str) -> tuple[http.client.HTTPResponse, Any]:
    """One request on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", console.port, timeout=30)
    sent = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Connection": "close",
        **headers,
    }
    try:
        connection.request("POST", "/mcp", json.dumps(body), sent)
        answer = connection.getresponse()
        return answer, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def test_a_name_given_once_in_initialize_is_known_on_every_later_connection(
    console: Served, owner_token: str, calls_by: Callable[[str], list[dict[str, Any]]]
) -> None:
    client = {"name": "Said it once", "version": "7.1"}
    params = {"protocolVersion": LATEST_OF_INITIALIZE, "capabilities": {}, "clientInfo": client}
    answer, _ = post(console, owner_token, {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
    session = answer.headers["Mcp-Session-Id"]
    assert session.isascii()
    assert session.isprintable()

    for number in range(CONNECTIONS):
        call = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": "get_me"}}
        headers = {"MCP-Protocol-Version": LATEST_OF_INITIALIZE, "Mcp-Session-Id": session}
        answer, body = post(console, owner_token, call, **headers)
        assert (answer.status, body["result"].get("isError", False)) == (200, False)
        assert "Mcp-Session-Id" not in answer.headers

    known = [(call["client_version"], call["protocol"]) for call in calls_by("Said it once")]
    assert known == [("7.1", LATEST_OF_INITIALIZE)] * CONNECTIONS


def test_a_name_given_with_every_request_is_known_on_every_connection(
    console: Served, owner_token: str, calls_by: Callable[[str], list[dict[str, Any]]]
) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "Says it always", "version": "8.0"},
    }
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "get_me"}

    for number in range(CONNECTIONS):
        call = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": "get_me", "_meta": meta}}
        answer, body = post(console, owner_token, call, **headers)
        assert (answer.status, body["result"].get("isError", False)) == (200, False)
        assert "Mcp-Session-Id" not in answer.headers

    known = [(call["client_version"], call["protocol"]) for call in calls_by("Says it always")]
    assert known == [("8.0", MODERN)] * CONNECTIONS


def test_a_session_id_of_somebody_elses_making_names_nobody(
    console: Served, owner_token: str, calls_by: Callable[[str], list[dict[str, Any]]]
) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_me"}}
    forged = "WyJGb3JnZWQgbmFtZSIsIjEiXQ:1xVcSU:" + "A" * 43
    headers = {"Mcp-Session-Id": forged, "User-Agent": "plain-agent/3.1 (test)"}

    answer, body = post(console, owner_token, call, **headers)

    # Nothing is stored that could be missing: the call is served, under the name in its User-Agent.
    assert (answer.status, body["result"].get("isError", False)) == (200, False)
    assert calls_by("Forged name") == []
    assert [call["client_version"] for call in calls_by("plain-agent")] == ["3.1"]
