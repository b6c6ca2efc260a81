"""Clients that only start commands: `manage.py mcp_stdio`, and mcp-remote in front of the served console."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.clients import LATEST_OF_INITIALIZE, MODERN, Inspector, python_over_stdio
from tests.interop.conftest import CallsBy
from tests.interop.node import MCP_REMOTE, Node
from tests.interop.test_clients import check_activity, check_day
from tests.interop.walk import DAY, READ_WRITE_DESTROY, check_listing, check_results
from tests.paths import ROOT
from tests.servers import Served

COMMAND = [sys.executable, str(ROOT / "manage.py"), "mcp_stdio"]
# What the command needs of the console's environment; clients hand on next to nothing by themselves.
NEEDED = ("VAR_DIR", "DATABASE_URL", "SECRET_KEY", "AUDIT_SIGNING_KEY", "SANDBOX_RATE_LIMITS")


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


ODD_LINES: tuple[tuple[bytes, int, object], ...] = (
    (b"not json", -32700, None),
    (b"\xef\xbb\xbf" + b'{"jsonrpc":"2.0","id":1,"method":"ping"}', -32700, None),
    (b'{"jsonrpc":"2.0","id":2,"method":"ping","params":{"a":"\\ud800"}}', -32700, None),
    (b'{"jsonrpc":"2.0","id":3,"method":"ping","params":{"a":"\xff"}}', -32700, None),
    (b'{"jsonrpc":"2.0","id":4,"method":"ping"', -32700, None),
    (b'{"jsonrpc":"2.0","id":5,"method":"ping","params":' + b"[" * 100 + b"]" * 100 + b"}", -32700, None),
    (b'[{"jsonrpc":"2.0","id":6,"method":"ping"}]', -32600, None),
    (b'"ping"', -32600, None),
    (b'{"id":7,"method":"ping"}', -32600, 7),
    (b'{"jsonrpc":"2.0","id":"eight","method":8}', -32600, "eight"),
    (b'{"jsonrpc":"2.0","id":9,"method":"ping","params":[1]}', -32600, 9),
    (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600, None),
    (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600, None),
    (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, None),
    (b'{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}', -32600, None),
    (b'{"jsonrpc":"2.0","id":10,"result":{},"error":{"code":1,"message":"x"},"method":null}', -32600, 10),
    (b'{"jsonrpc":"2.0","id":11,"method":"ping","params":{"a":"' + b"x" * (1 << 20) + b'"}}', -32600, None),
)


def test_every_line_that_is_no_message_gets_one_answer(environment: dict[str, str]) -> None:
    last = b'{"jsonrpc":"2.0","id":"last","method":"nothing/here"}'
    given = b"\n \n" + b"\r\n".join([*(line for line, _, _ in ODD_LINES), last]) + b"\n"

    done = subprocess.run(COMMAND, input=given, env={**os.environ, **environment}, capture_output=True, timeout=60)

    *refusals, answer = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(each["error"]["code"], each["id"]) for each in refusals] == [(code, key) for _, code, key in ODD_LINES]
    assert all(each["error"]["message"] and "xxx" not in each["error"]["message"] for each in refusals)
    assert answer["id"] == "last"
    assert done.returncode == 0, done.stderr
