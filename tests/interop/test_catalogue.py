"""Entries of the catalogue that start a command, started exactly as they say: they list the tools."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from hoursmith_console.connections.catalogue import MCP_CLIENTS
from mcpbridge.tools import READ_TOOLS, TOOLS
from tests.interop.clients import Seen, python_over_stdio
from tests.interop.node import HERE, Node
from tests.interop.test_stdio import NEEDED
from tests.paths import ROOT
from tests.servers import Served

TOOLS_OF = {"full": set(TOOLS), "readonly": set(READ_TOOLS)}


@pytest.fixture
def npx(node: Node, home: Path) -> dict[str, str]:
    """An environment in which `npx` finds the pinned mcp-remote, and fails rather than fetch another one."""
    return {
        "PATH": f"{node.binary.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "npm_config_offline": "true",
    }


def entry(key: str, number: int, token: str, **options: Any) -> dict[str, Any]:
    """The entry in the `number`th configuration of a client, with the token where it has room for one."""
    config = json.loads(MCP_CLIENTS[key].snippets(**options)[number].render(token))
    found: dict[str, Any] = config["mcpServers"]["hoursmith"]
    return found


def started(entry: dict[str, Any], environment: dict[str, str], name: str, folder: Path) -> Seen:
    command = [entry["command"], *entry["args"]]
    given = {**environment, **entry.get("env", {})}
    return python_over_stdio(command, given, folder=folder, mode="legacy", name=name, steps=(("get_me", {}),))


def check(seen: Seen, access: str) -> None:
    assert {tool["name"] for tool in seen.tools} == TOOLS_OF[access]
    assert seen.results[0]["structuredContent"]["data"]["role"] == "OWNER"


@pytest.mark.parametrize("access", ["full", "readonly"])
def test_mcp_remote_lists_the_tools(console: Served, owner_token: str, npx: dict[str, str], access: Any) -> None:
    made = entry("mcp-remote", 0, owner_token, url=console.mcp_url, access=access)

    check(started(made, npx, f"Catalogue mcp-remote {access}", HERE), access)


def test_a_projects_file_of_roo_code_lists_the_tools_once_the_variable_is_expanded(
    console: Served, owner_token: str, npx: dict[str, str]
) -> None:
    made = entry("roo-code", 1, owner_token, url=console.mcp_url)
    assert owner_token not in json.dumps(made)
    variables = {"HOURSMITH_API_TOKEN": owner_token}
    # As Roo Code does it before it starts the command.
    made["args"] = [re.sub(r"\$\{env:(\w+)\}", lambda found: variables[found[1]], part) for part in made["args"]]

    check(started(made, npx, "Catalogue roo-code", HERE), "full")


@pytest.mark.parametrize("access", ["full", "readonly"])
def test_the_consoles_own_command_lists_the_tools(
    console: Served, owner_token: str, tmp_path: Path, access: Any
) -> None:
    # The folder of a console as `make run` leaves it.
    (tmp_path / "manage.py").symlink_to(ROOT / "manage.py")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    made = entry("mcp-stdio", 0, owner_token, url=console.mcp_url, access=access, folder=str(tmp_path))
    environment = {name: console.environment[name] for name in NEEDED}

    check(started(made, environment, f"Catalogue mcp-stdio {access}", tmp_path), access)
