"""The Gemini CLI, configured as the console's page says: it connects, calls every tool, and is told of refusals."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hoursmith_console.connections.catalogue import CLIENTS
from mcpbridge.tools import READ_TOOLS, TOOLS
from tests.conftest import assembled_token
from tests.interop.conftest import CallsBy
from tests.interop.gemini_cli import GeminiCli, payload_of
from tests.interop.node import Node
from tests.interop.walk import DAY
from tests.servers import Served

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("interop")]

NAME = "gemini-cli-mcp-client"
Cli = Callable[..., GeminiCli]


@pytest.fixture
def cli(console: Served, node: Node, home: Path) -> Cli:
    """Makes a CLI whose user has the token given, and the settings that the page shows."""

    def make(token: str, access: str = "full") -> GeminiCli:
        snippet = CLIENTS["gemini-cli"].snippets(url=console.mcp_url, access=access)[0]
        return GeminiCli(node, home, json.loads(snippet.render(token)), {"HOURSMITH_API_TOKEN": token})

    return make


def test_the_cli_shows_that_it_is_connected(console: Served, owner_token: str, cli: Cli) -> None:
    assert f"✓ hoursmith: {console.mcp_url} (http) - Connected" in cli(owner_token).run("mcp", "list").stderr
    assert f"✗ hoursmith: {console.mcp_url} (http) - Disconnected" in cli(assembled_token()).run("mcp", "list").stderr


def test_the_cli_calls_every_tool(owner_token: str, cli: Cli, calls_by: CallsBy) -> None:
    before = len(calls_by(NAME, 0))

    model = cli(owner_token).work(*DAY)

    assert model.tools == set(TOOLS)
    assert all("data" in payload_of(answer) for answer in model.answers)
    calls = calls_by(NAME, before + len(DAY))[before:]
    assert [(call["tool"], call["result"]) for call in calls] == [(tool, "succeeded") for tool, _ in DAY]


def test_the_cli_tells_its_model_why_a_call_is_refused(console: Served, cli: Cli) -> None:
    token = console.mint(console.person("OWNER")["email"], "Reads only", scope="read")

    (answer,) = cli(token).work(("create_client", {"name": "Never made"})).answers

    assert "forbidden_scope" in answer["error"]
    assert "role or scope does not allow it" in answer["error"]


def test_the_cli_is_shown_the_read_tools_alone(owner_token: str, cli: Cli) -> None:
    model = cli(owner_token, "readonly").work(("get_me", {}))

    assert model.tools == set(READ_TOOLS)
