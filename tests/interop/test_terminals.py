"""Clients of the terminal, configured as the console's page says: they connect, call every tool, explain refusals."""

import json
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from hoursmith_console.connections.catalogue import MCP_CLIENTS
from mcpbridge.tools import READ_TOOLS, TOOLS
from tests.interop.claude_code import ClaudeCode
from tests.interop.codex_cli import CodexCli
from tests.interop.conftest import CallsBy
from tests.interop.gemini_cli import GeminiCli
from tests.interop.node import Node
from tests.interop.terminal import Terminal
from tests.interop.walk import DAY
from tests.servers import Served
from tests.token_shapes import assembled_token

Configured = Callable[..., Terminal]
every_terminal = pytest.mark.parametrize("terminal", [ClaudeCode, CodexCli, GeminiCli], ids=lambda kind: kind.key)


@pytest.fixture
def configured(console: Served, node: Node, home: Path) -> Configured:
    """Makes a client whose user has the token given, and the configuration that the page shows."""

    def make(kind: type[Terminal], token: str, access: str = "full") -> Terminal:
        snippet = MCP_CLIENTS[kind.key].snippets(url=console.mcp_url, access=access)[0]
        return kind(node, home, token, snippet.render(token))

    return make


def says_connected(console: Served, terminal: Terminal) -> bool:
    """Return what the client's own list says of the server."""
    done = terminal.run("mcp", "list")
    (line,) = (line for line in (done.stdout + done.stderr).splitlines() if console.mcp_url in line)
    assert "hoursmith" in line
    return line.endswith("Connected")


@pytest.mark.parametrize("terminal", [ClaudeCode, GeminiCli], ids=lambda kind: kind.key)
def test_the_client_shows_whether_it_is_connected(
    console: Served, owner_token: str, configured: Configured, terminal: type[Terminal]
) -> None:
    assert says_connected(console, configured(terminal, owner_token))
    assert not says_connected(console, configured(terminal, assembled_token()))


@every_terminal
def test_the_client_calls_every_tool(
    owner_token: str, configured: Configured, calls_by: CallsBy, terminal: type[Terminal]
) -> None:
    before = len(calls_by(terminal.name, 0))

    model = configured(terminal, owner_token).work(*DAY)

    assert model.tools == set(TOOLS)
    assert all("data" in answer.payload for answer in model.answers)
    calls = calls_by(terminal.name, before + len(DAY))[before:]
    assert [(call["tool"], call["result"]) for call in calls] == [(tool, "succeeded") for tool, _ in DAY]


@every_terminal
def test_the_client_tells_its_model_why_a_call_is_refused(
    console: Served, configured: Configured, terminal: type[Terminal]
) -> None:
    token = console.mint(console.person("OWNER")["email"], "Reads only", scope="read")

    (answer,) = configured(terminal, token).work(("create_client", {"name": "Never made"})).answers

    assert answer.is_error
    assert "forbidden_scope" in answer.text
    assert "role or scope does not allow it" in answer.text


@every_terminal
def test_the_client_is_shown_the_read_tools_alone(
    owner_token: str, configured: Configured, terminal: type[Terminal]
) -> None:
    model = configured(terminal, owner_token, "readonly").work(("get_me", {}))

    assert model.tools == set(READ_TOOLS)


def added(terminal: Terminal, url: str) -> str:
    """Return the client's file after the command that the page shows; its first word is the client itself."""
    done = terminal.run(*shlex.split(MCP_CLIENTS[terminal.key].command_line(url=url))[1:])
    assert done.returncode == 0, done.stderr
    return terminal.path.read_text(encoding="utf-8")


def test_the_command_for_claude_code_writes_what_the_page_shows(
    console: Served, owner_token: str, node: Node, home: Path
) -> None:
    claude = ClaudeCode(node, home, owner_token)
    shown = json.loads(MCP_CLIENTS["claude-code"].snippets(url=console.mcp_url)[0].text)

    written = json.loads(added(claude, console.mcp_url))

    assert written["projects"][str(home)]["mcpServers"] == shown["mcpServers"]
    assert "Status: ✔ Connected" in claude.run("mcp", "get", "hoursmith").stdout


def test_the_command_for_codex_writes_what_the_page_shows(
    console: Served, owner_token: str, node: Node, home: Path
) -> None:
    codex = CodexCli(node, home, owner_token)
    shown = tomllib.loads(MCP_CLIENTS["codex"].snippets(url=console.mcp_url)[0].text)

    assert tomllib.loads(added(codex, console.mcp_url)) == shown

    (server,) = json.loads(codex.run("mcp", "list", "--json").stdout)
    assert (server["name"], server["enabled"]) == ("hoursmith", True)
    assert server["transport"]["url"] == console.mcp_url
    assert server["transport"]["bearer_token_env_var"] == "HOURSMITH_API_TOKEN"
