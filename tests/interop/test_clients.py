"""The official clients work through a served console: every tool, both protocol eras, HTTP."""

from pathlib import Path
from typing import Any

import pytest

from tests.interop.clients import LATEST_OF_INITIALIZE, MODERN, Inspector, Seen, python_over_http, typescript
from tests.interop.conftest import CallsBy
from tests.interop.node import Node
from tests.interop.walk import DAY, READ_WRITE_DESTROY, check_listing, check_results
from tests.servers import Served


def check_day(seen: Seen, *, protocol: str) -> None:
    assert seen.protocol == protocol
    assert seen.server == "hoursmith"
    check_listing(seen.tools)
    check_results(seen.tools, DAY, seen.results)


def check_activity(calls: list[dict[str, Any]], *, protocol: str, transport: str = "http") -> None:
    """The console knows every call of the day by the client's own name, not only the first one."""
    assert [call["tool"] for call in calls] == [tool for tool, _ in DAY]
    assert {(call["client_version"], call["protocol"], call["transport"], call["result"]) for call in calls} == {
        ("1.2.3", protocol, transport, "succeeded")
    }


@pytest.mark.parametrize(("mode", "protocol"), [("auto", MODERN), ("legacy", LATEST_OF_INITIALIZE)])
def test_the_python_client_calls_every_tool(
    console: Served, owner_token: str, calls_by: CallsBy, mode: str, protocol: str
) -> None:
    name = f"Interop Python ({mode})"

    seen = python_over_http(console.mcp_url, owner_token, mode=mode, name=name, steps=DAY)

    check_day(seen, protocol=protocol)
    check_activity(calls_by(name, len(DAY)), protocol=protocol)


@pytest.mark.parametrize(
    ("sdk", "mode", "protocol"),
    [
        (1, None, LATEST_OF_INITIALIZE),
        (2, "legacy", LATEST_OF_INITIALIZE),
        (2, "auto", MODERN),
    ],
)
def test_the_typescript_client_calls_every_tool(
    console: Served,
    owner_token: str,
    node: Node,
    home: Path,
    calls_by: CallsBy,
    sdk: int,
    mode: str | None,
    protocol: str,
) -> None:
    client = {"name": f"Interop TypeScript {sdk} ({mode})", "version": "1.2.3"}
    job = {"url": console.mcp_url, "token": owner_token, "client": client, "sdk": sdk, "mode": mode}

    seen = typescript(node, job, steps=DAY, home=home)

    check_day(seen, protocol=protocol)
    check_activity(calls_by(client["name"], len(DAY)), protocol=protocol)


@pytest.mark.parametrize(("era", "protocol"), [("modern", MODERN), ("legacy", LATEST_OF_INITIALIZE)])
def test_the_inspector_lists_and_calls_without_a_complaint(
    console: Served, owner_token: str, node: Node, home: Path, calls_by: CallsBy, era: str, protocol: str
) -> None:
    target = (
        "--server-url",
        console.mcp_url,
        "--transport",
        "http",
        "--header",
        f"Authorization: Bearer {owner_token}",
    )
    inspector = Inspector(node, home, target)

    tools = inspector.tools(era)

    check_listing(tools)
    check_results(tools, READ_WRITE_DESTROY, inspector.walk(era, READ_WRITE_DESTROY))
    calls = calls_by("inspector", 3, protocol=protocol, transport="http", result="succeeded")
    assert [call["tool"] for call in calls] == [tool for tool, _ in READ_WRITE_DESTROY]
