"""A refused call is read by every official client: what was wrong, and what to do about it."""

from pathlib import Path
from typing import Any

import pytest

from tests.interop.clients import Inspector, python_of_version_1, python_over_http, python_over_stdio, typescript
from tests.interop.node import MCP_REMOTE, Node
from tests.interop.test_stdio import COMMAND, NEEDED
from tests.interop.walk import Step
from tests.servers import Served
from tests.tool_results import error_in

REFUSED: tuple[Step, ...] = (("create_client", {"name": "Never made"}),)


@pytest.fixture(scope="module")
def reading_token(console: Served) -> str:
    """A token whose scope is to read."""
    return console.mint(console.person("OWNER")["email"], "Reads only", scope="read")


def check_refusal(results: list[dict[str, Any]]) -> None:
    (result,) = results
    error = error_in({name: value for name, value in result.items() if value is not None})
    assert (error["status"], error["code"]) == (403, "forbidden_scope")
    assert "role or scope does not allow it" in error["hint"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_python_client_reads_why(console: Served, reading_token: str, mode: str) -> None:
    seen = python_over_http(console.mcp_url, reading_token, mode=mode, name="Refused", steps=REFUSED)

    check_refusal(seen.results)


def test_the_python_client_of_version_1_reads_why(
    console: Served, reading_token: str, python_1: Path, home: Path
) -> None:
    job = {"url": console.mcp_url, "token": reading_token}

    check_refusal(python_of_version_1(python_1, job, steps=REFUSED, home=home).results)


@pytest.mark.parametrize(("sdk", "mode"), [(1, None), (2, "legacy"), (2, "auto")])
def test_the_typescript_client_reads_why(
    console: Served, reading_token: str, node: Node, home: Path, sdk: int, mode: str | None
) -> None:
    client = {"name": "Refused", "version": "1.2.3"}
    job = {"url": console.mcp_url, "token": reading_token, "client": client, "sdk": sdk, "mode": mode}

    check_refusal(typescript(node, job, steps=REFUSED, home=home).results)


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_the_inspector_reads_why(console: Served, reading_token: str, node: Node, home: Path, era: str) -> None:
    header = f"Authorization: Bearer {reading_token}"
    target = ("--server-url", console.mcp_url, "--transport", "http", "--header", header)

    check_refusal(Inspector(node, home, target).walk(era, REFUSED))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_without_http_reads_why(
    console: Served, reading_token: str, node: Node, home: Path, mode: str
) -> None:
    options = ["--transport", "http-only", "--header", "Authorization:${AUTH_HEADER}"]
    command = [str(node.binary), str(MCP_REMOTE), console.mcp_url, *options]
    environment = {"AUTH_HEADER": f"Bearer {reading_token}", "HOME": str(home)}

    check_refusal(python_over_stdio(command, environment, mode=mode, name="Refused", steps=REFUSED).results)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_that_starts_the_command_reads_why(console: Served, reading_token: str, mode: str) -> None:
    environment = {name: console.environment[name] for name in NEEDED} | {"HOURSMITH_API_TOKEN": reading_token}

    check_refusal(python_over_stdio(COMMAND, environment, mode=mode, name="Refused", steps=REFUSED).results)
