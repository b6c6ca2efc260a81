"""A client's name for itself survives from request to request, though no session is kept and any worker answers."""

from typing import Any

from tests.interop.clients import LATEST_OF_INITIALIZE, MODERN
from tests.interop.conftest import CallsBy
from tests.interop.raw_mcp import post
from tests.servers import Served

# Each on a connection of its own; that all of them meet the same one of two workers is as good as impossible.
CONNECTIONS = 24
GET_ME: dict[str, Any] = {"name": "get_me", "arguments": {}}


def test_a_name_given_once_in_initialize_is_known_on_every_later_connection(
    console: Served, owner_token: str, calls_by: CallsBy
) -> None:
    client = {"name": "Said it once", "version": "7.1"}
    params = {"protocolVersion": LATEST_OF_INITIALIZE, "capabilities": {}, "clientInfo": client}
    answer, _ = post(console, owner_token, "initialize", params)
    session = answer.headers["Mcp-Session-Id"]
    assert session.isascii()
    assert session.isprintable()

    headers = {"MCP_Protocol_Version": LATEST_OF_INITIALIZE, "Mcp_Session_Id": session}
    for _ in range(CONNECTIONS):
        answer, body = post(console, owner_token, "tools/call", GET_ME, **headers)
        assert (answer.status, body["result"].get("isError", False)) == (200, False)
        assert "Mcp-Session-Id" not in answer.headers

    known = [(call["client_version"], call["protocol"]) for call in calls_by("Said it once", CONNECTIONS)]
    assert known == [("7.1", LATEST_OF_INITIALIZE)] * CONNECTIONS


def test_a_name_given_with_every_request_is_known_on_every_connection(
    console: Served, owner_token: str, calls_by: CallsBy
) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "Says it always", "version": "8.0"},
    }
    headers = {"MCP_Protocol_Version": MODERN, "Mcp_Method": "tools/call", "Mcp_Name": "get_me"}

    for _ in range(CONNECTIONS):
        answer, body = post(console, owner_token, "tools/call", {**GET_ME, "_meta": meta}, **headers)
        assert (answer.status, body["result"].get("isError", False)) == (200, False)
        assert "Mcp-Session-Id" not in answer.headers

    known = [(call["client_version"], call["protocol"]) for call in calls_by("Says it always", CONNECTIONS)]
    assert known == [("8.0", MODERN)] * CONNECTIONS


def test_a_session_id_of_somebody_elses_making_names_nobody(
    console: Served, owner_token: str, calls_by: CallsBy
) -> None:
    forged = "WyJGb3JnZWQgbmFtZSIsIjEiXQ:1xVcSU:" + "A" * 43

    answer, body = post(
        console, owner_token, "tools/call", GET_ME, Mcp_Session_Id=forged, User_Agent="plain-agent/3.1 (test)"
    )

    # Nothing is stored that could be missing: the call is served, under the name in its User-Agent.
    assert (answer.status, body["result"].get("isError", False)) == (200, False)
    assert [call["client_version"] for call in calls_by("plain-agent", 1)] == ["3.1"]
    assert calls_by("Forged name", 0) == []
