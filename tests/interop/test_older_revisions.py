"""Clients in the field speak older revisions too; each gets the revision it asked for, and all tools."""

import json

import pytest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, KNOWN_PROTOCOL_VERSIONS

from tests.interop.raw_mcp import post
from tests.interop.walk import DAY
from tests.servers import Served

# Revisions before 2025-06-18 know no MCP-Protocol-Version header.
SENDS_ITS_VERSION = {"2025-06-18", "2025-11-25"}


@pytest.mark.parametrize("revision", HANDSHAKE_PROTOCOL_VERSIONS)
def test_a_client_of_an_older_revision_lists_and_calls(console: Served, owner_token: str, revision: str) -> None:
    client = {"name": f"Interop {revision}", "version": "1"}
    params = {"protocolVersion": revision, "capabilities": {}, "clientInfo": client}
    answer, greeting = post(console, owner_token, "initialize", params)
    headers = {"Mcp_Session_Id": answer.headers["Mcp-Session-Id"]}
    if revision in SENDS_ITS_VERSION:
        headers["MCP_Protocol_Version"] = revision

    assert greeting["result"]["protocolVersion"] == revision
    assert greeting["result"]["capabilities"]["tools"] is not None
    _, listed = post(console, owner_token, "tools/list", {}, **headers)
    assert sorted(tool["name"] for tool in listed["result"]["tools"]) == sorted(name for name, _ in DAY)
    _, called = post(console, owner_token, "tools/call", {"name": "get_me", "arguments": {}}, **headers)
    assert json.loads(called["result"]["content"][0]["text"])["data"]["role"] == "OWNER"


def test_a_client_of_a_revision_nobody_knows_is_offered_the_latest_one(console: Served, owner_token: str) -> None:
    params = {"protocolVersion": "1999-01-01", "capabilities": {}, "clientInfo": {"name": "Old", "version": "0"}}

    _, greeting = post(console, owner_token, "initialize", params)

    assert greeting["result"]["protocolVersion"] == HANDSHAKE_PROTOCOL_VERSIONS[-1]


def test_discovery_names_every_revision_that_is_served(console: Served, owner_token: str) -> None:
    versions = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"MCP_Protocol_Version": "2026-07-28", "Mcp_Method": "server/discover"}

    _, found = post(console, owner_token, "server/discover", {"_meta": versions}, **headers)

    assert found["result"]["supportedVersions"] == list(KNOWN_PROTOCOL_VERSIONS)
