"""The official clients at work: each lists the tools, then makes the calls it is given."""

import asyncio
import json
import subprocess
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx2
import mcp_types as types
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.interop import python_sdk_1
from tests.interop.node import INSPECTOR, RUN_TIMEOUT_S, TYPESCRIPT_CLIENT, Node
from tests.interop.walk import Memory, Step

MODERN = "2026-07-28"
LATEST_OF_INITIALIZE = "2025-11-25"
# The Inspector's exit code where the tool itself reports an error.
TOOL_ERROR = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client saw of the server, in the words of the wire."""

    protocol: str
    server: str
    tools: list[dict[str, Any]]
    results: list[dict[str, Any]]


def python_over_http(url: str, token: str, *, mode: str, name: str, steps: tuple[Step, ...]) -> Seen:
    """The official Python client over Streamable HTTP; `mode` is auto or legacy."""

    async def connect(stack: AsyncExitStack) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=30))
        return streamable_http_client(url, http_client=http)

    return asyncio.run(_python(connect, mode=mode, name=name, steps=steps))


def python_over_stdio(
    command: list[str], environment: dict[str, str], *, folder: Path | None = None, **how: Any
) -> Seen:
    """The official Python client, which starts `command` (in `folder`) and speaks with it over its standard streams."""

    async def connect(stack: AsyncExitStack) -> Any:
        return StdioServerParameters(command=command[0], args=command[1:], env=environment, cwd=folder)

    return asyncio.run(_python(connect, **how))


async def _python(connect: Callable[[AsyncExitStack], Any], *, mode: str, name: str, steps: tuple[Step, ...]) -> Seen:
    async with AsyncExitStack() as stack:
        info = types.Implementation(name=name, version="1.2.3")
        target = await connect(stack)
        client = await stack.enter_async_context(Client(target, mode=mode, client_info=info, read_timeout_seconds=30))
        listed = await client.list_tools()
        memory, results = Memory(), []
        for tool, arguments in steps:
            result = _wire(await client.call_tool(tool, memory.fill(arguments)))
            memory.keep(tool, result.get("structuredContent"))
            results.append(result)
        assert client.server_info is not None
        tools = [_wire(tool) for tool in listed.tools]
        return Seen(client.protocol_version, client.server_info.name, tools, results)


def _wire(value: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, types.CallToolResult):
        # Null is a value in what a tool returned, and only there.
        dumped["structuredContent"] = value.structured_content
    return dumped


def typescript(node: Node, job: dict[str, Any], *, steps: tuple[Step, ...], home: Path) -> Seen:
    """An official TypeScript client over Streamable HTTP; `typescript_client.mjs` says what a job holds."""
    return _driven([str(node.binary), str(TYPESCRIPT_CLIENT)], job, steps=steps, home=home)


def python_of_version_1(python: Path, job: dict[str, Any], *, steps: tuple[Step, ...], home: Path) -> Seen:
    """The official Python client 1.x over Streamable HTTP; a job is its `url` and `token`."""
    return _driven([str(python), python_sdk_1.__file__], job, steps=steps, home=home)


def _driven(command: list[str], job: dict[str, Any], *, steps: tuple[Step, ...], home: Path) -> Seen:
    """What a client saw that is told its job, and then a call at a time, on its standard input."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"HOME": str(home)},
    ) as process:
        watchdog = threading.Timer(RUN_TIMEOUT_S, process.kill)
        watchdog.start()
        try:
            greeting = _told(process, job)
            memory, results = Memory(), []
            for tool, arguments in steps:
                result = _told(process, {"name": tool, "arguments": memory.fill(arguments)})
                memory.keep(tool, result.get("structuredContent"))
                results.append(result)
            stdin, _, stderr = _streams(process)
            stdin.close()
            complaints = stderr.read()
            assert (process.wait(), complaints) == (0, "")
        finally:
            watchdog.cancel()
    return Seen(greeting["protocol"], greeting["server"]["name"], greeting["tools"], results)


def _told(process: subprocess.Popen[str], line: dict[str, Any]) -> dict[str, Any]:
    stdin, stdout, stderr = _streams(process)
    stdin.write(json.dumps(line) + "\n")
    stdin.flush()
    answer = stdout.readline()
    assert answer, f"the client gave up: {stderr.read()}"
    told: dict[str, Any] = json.loads(answer)
    return told


def _streams(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdin, process.stdout, process.stderr


@dataclass(frozen=True, slots=True)
class Inspector:
    """The Inspector's command line against one server. Anything it says beside the result is a complaint."""

    node: Node
    home: Path
    target: tuple[str, ...]

    def tools(self, era: str) -> list[dict[str, Any]]:
        """tools/list, under the Inspector's strict look at every schema."""
        listed: list[dict[str, Any]] = self._run(era, "--method", "tools/list", "--strict")["tools"]
        return listed

    def walk(self, era: str, steps: tuple[Step, ...]) -> list[dict[str, Any]]:
        """tools/call, a new connection for each step."""
        memory, results = Memory(), []
        for tool, arguments in steps:
            given = json.dumps(memory.fill(arguments))
            result = self._run(era, "--method", "tools/call", "--tool-name", tool, "--tool-args-json", given)
            memory.keep(tool, result.get("structuredContent"))
            results.append(result)
        return results

    def _run(self, era: str, *arguments: str) -> dict[str, Any]:
        more = ("--protocol-era", era, "--format", "json")
        done = self.node.run(INSPECTOR, "--cli", *self.target, *arguments, *more, home=self.home)
        # A served process may say what it did; the Inspector itself must have nothing to say.
        said = [line for line in done.stderr.splitlines() if " INFO mcpbridge." not in line]
        result: dict[str, Any] = json.loads(done.stdout)["result"]
        if result.get("isError"):
            # It repeats that the tool reports an error, and ends with a code of its own.
            (line,) = said
            assert (done.returncode, json.loads(line)["error"]["code"]) == (TOOL_ERROR, "tool_is_error"), done.stderr
        else:
            assert (done.returncode, said) == (0, []), done.stdout
        return result
