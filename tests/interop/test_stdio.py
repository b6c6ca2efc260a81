"""Clients that only start commands: `manage.py mcp_stdio`, and mcp-remote in front of the served console."""

import sys
from pathlib import Path

import pytest

from tests.interop.clients import LATEST_OF_INITIALIZE, MODERN, Inspector, python_over_stdio
from tests.interop.conftest import CallsBy
from tests.interop.node import MCP_REMOTE, Node
from tests.interop.test_clients import check_activity, check_day
from tests.interop.walk import DAY, READ_WRITE_DESTROY, check_listing, check_results
from tests.places import ROOT
from tests.servers import Served

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("interop")]

COMMAND = [sys.executable, str(ROOT / "manage.py"), "mcp_stdio"]
# What the command needs of the console's environment; clients hand on next to nothing by themselves.
NEEDED = ("DJANGO_SETTINGS_MODULE", "VAR_DIR", "DATABASE_URL", "SECRET_KEY", "AUDIT_SIGNING_KEY", "SANDBOX_RATE_LIMITS")


@pytest.fixture
def environment(console: Served, owner_token: str) -> dict[str, str]:
    return {name: console.environment[name] for name in NEEDED} | {"HOURSMITH_API_TOKEN": owner_token}


@pytest.mark.parametrize(("mode", "protocol"), [("auto", MODERN), ("legacy", LATEST_OF_INITIALIZE)])
def test_the_python_client_calls_every_tool_over_stdio(
    environment: dict[str, str], calls_by: CallsBy, mode: str, protocol: str
) -> None:
    name = f"Interop stdio ({mode})"

    seen = python_over_stdio(COMMAND, environment, mode=mode, name=name, steps=DAY)

    check_day(seen, protocol=protocol)
    check_activity(calls_by(name, len(DAY)), protocol=protocol, transport="stdio")


def test_the_inspector_lists_and_calls_over_stdio(environment: dict[str, str], node: Node, home: Path) -> None:
    given = [part for name, value in environment.items() for part in ("-e", f"{name}={value}")]
    inspector = Inspector(node, home, (*COMMAND, *given))

    tools = inspector.tools("legacy")

    check_listing(tools)
    check_results(tools, READ_WRITE_DESTROY, inspector.walk("modern", READ_WRITE_DESTROY))


@pytest.mark.parametrize(("mode", "protocol"), [("auto", MODERN), ("legacy", LATEST_OF_INITIALIZE)])
def test_a_client_without_http_calls_every_tool_through_mcp_remote(
    console: Served,
    owner_token: str,
    node: Node,
    home: Path,
    calls_by: CallsBy,
    mode: str,
    protocol: str,
) -> None:
    name = f"Interop desktop ({mode})"
    # As the catalogue of clients spells it: no space after the colon, the token in the environment alone.
    options = ["--transport", "http-only", "--header", "Authorization:${AUTH_HEADER}"]
    command = [str(node.binary), str(MCP_REMOTE), console.mcp_url, *options]
    environment = {"AUTH_HEADER": f"Bearer {owner_token}", "HOME": str(home)}

    seen = python_over_stdio(command, environment, mode=mode, name=name, steps=DAY)

    check_day(seen, protocol=protocol)
    check_activity(calls_by(name, len(DAY)), protocol=protocol)
