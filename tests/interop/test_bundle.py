"""The extension for Claude Desktop: the official tool accepts it, and its program works through the served console."""

import json
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from mcpbridge.tools import READ_TOOLS, TOOLS
from tests.interop.clients import LATEST_OF_INITIALIZE, MODERN, python_over_stdio
from tests.interop.conftest import CallsBy
from tests.interop.node import MCPB, Node
from tests.interop.test_clients import check_activity, check_day
from tests.interop.walk import DAY
from tests.servers import Served, free_port
from tests.token_shapes import assembled_token
from tests.tool_results import error_in


@pytest.fixture(scope="module")
def bundle(console: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file as the console serves it."""
    path = tmp_path_factory.mktemp("bundle") / "hoursmith.mcpb"
    with urlopen(f"{console.url}/connect/hoursmith.mcpb", timeout=30) as answer:
        path.write_bytes(answer.read())
    return path


@pytest.fixture(scope="module")
def extension(bundle: Path) -> Path:
    """The folder in which an app installs it."""
    folder = bundle.parent / "installed"
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    return folder


def test_the_official_tool_validates_and_packs_it(node: Node, bundle: Path, extension: Path, home: Path) -> None:
    checked = node.run(MCPB, "validate", str(extension / "manifest.json"), home=home)
    packed = node.run(MCPB, "pack", str(extension), str(home / "again.mcpb"), home=home)
    unpacked = node.run(MCPB, "unpack", str(bundle), str(home / "unpacked"), home=home)

    for done in (checked, packed, unpacked):
        assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (checked.stdout + checked.stderr).lower(), checked.stdout
    names = {"manifest.json", "server/index.js"}
    with zipfile.ZipFile(home / "again.mcpb") as archive:
        assert set(archive.namelist()) == names
    assert {str(path.relative_to(home / "unpacked")) for path in (home / "unpacked").rglob("*.*")} == names


def command_of(node: Node, extension: Path, token: str, address: str = "") -> tuple[list[str], dict[str, str]]:
    """The command of the manifest and its environment, as an app fills them in."""
    manifest = json.loads((extension / "manifest.json").read_text("utf-8"))
    server, default = manifest["server"]["mcp_config"], manifest["user_config"]["url"]["default"]
    values = {"__dirname": str(extension), "user_config.url": address or default, "user_config.token": token}

    def fill(text: str) -> str:
        for name, value in values.items():
            text = text.replace(f"${{{name}}}", value)
        return text

    assert server["command"] == "node"
    command = [str(node.binary), *(fill(part) for part in server["args"])]
    return command, {name: fill(value) for name, value in server["env"].items()}


@pytest.mark.parametrize(("mode", "protocol"), [("auto", MODERN), ("legacy", LATEST_OF_INITIALIZE)])
def test_the_program_lists_and_calls_every_tool(
    owner_token: str, node: Node, extension: Path, calls_by: CallsBy, mode: str, protocol: str
) -> None:
    name = f"Interop bundle ({mode})"

    seen = python_over_stdio(*command_of(node, extension, owner_token), mode=mode, name=name, steps=DAY)

    check_day(seen, protocol=protocol)
    assert {tool["name"] for tool in seen.tools} == set(TOOLS)
    check_activity(calls_by(name, len(DAY)), protocol=protocol)


def test_a_read_only_address_gives_the_read_tools(
    console: Served, owner_token: str, node: Node, extension: Path
) -> None:
    started = command_of(node, extension, owner_token, f"{console.mcp_url}/readonly")

    seen = python_over_stdio(*started, mode="auto", name="Bundle", steps=(("get_me", {}),))

    assert {tool["name"] for tool in seen.tools} == set(READ_TOOLS)


class Program:
    """The running program; it is told a message a line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self, message: dict[str, Any] | str) -> None:
        assert self._process.stdin is not None
        line = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def ask(self, method: str, number: int = 1, **params: Any) -> dict[str, Any]:
        self.tell({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return self.answer()


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[Program]:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield Program(process)
        more, complaints = process.communicate(timeout=20)
    assert (process.returncode, more, complaints) == (0, "", "")


HELLO = {
    "protocolVersion": LATEST_OF_INITIALIZE,
    "capabilities": {},
    "clientInfo": {"name": "claude-ai", "version": "0.14.2"},
}


def test_a_token_that_is_refused_is_explained(node: Node, extension: Path) -> None:
    for token, said in {
        assembled_token(): "Hoursmith does not accept this token: it is unknown or was revoked",
        "${user_config.token}": "sent the name of a variable instead of its value",
        "<paste the token here>": "placeholder",
    }.items():
        with running(*command_of(node, extension, token)) as program:
            answer = program.ask("initialize", 7, **HELLO)
        assert answer["id"] == 7
        assert said in answer["error"]["message"], answer


def test_what_the_plan_and_the_token_do_not_allow_is_explained(console: Served, node: Node, extension: Path) -> None:
    member = console.person("MEMBER")["email"]
    token = console.mint(member, "Reads only", scope="read")
    call = {"name": "create_client", "arguments": {"name": "Never made"}}
    with running(*command_of(node, extension, token)) as program:
        program.ask("initialize", **HELLO)
        forbidden = program.ask("tools/call", 2, **call)
        console.manage("sandbox_plan", "free")
        try:
            unpaid = program.ask("tools/call", 3, **call)
        finally:
            console.manage("sandbox_plan", "agency")

    assert error_in(forbidden["result"])["status"] == 403
    assert "role or scope does not allow it" in error_in(forbidden["result"])["hint"]
    assert error_in(unpaid["result"])["status"] == 402
    assert "Studio or Agency" in error_in(unpaid["result"])["hint"]


def test_an_address_that_answers_something_else_is_explained(console: Served, node: Node, extension: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/mcp"
    for address, said in {
        nobody: f"The Hoursmith console at {nobody} can’t be reached: ECONNREFUSED",
        # A page of the console, and one that leads elsewhere: the token does not follow.
        f"{console.url}/nothing": "answered with HTTP 404 instead of an MCP message",
        f"{console.url}/tokens": "can’t be reached: unexpected redirect",
        "http://console.example/mcp": "must begin with https://",
        "console.example": "Invalid URL",
    }.items():
        with running(*command_of(node, extension, assembled_token(), address)) as program:
            answer = program.ask("initialize", **HELLO)
        assert said in answer["error"]["message"], answer


def test_lines_end_at_line_feeds_alone(owner_token: str, node: Node, extension: Path) -> None:
    """Other separators may stand in a text: U+2028 is one of a line, and valid in JSON."""
    name = "Two\u2028lines in a café"
    with running(*command_of(node, extension, owner_token)) as program:
        program.ask("initialize", **HELLO)
        made = program.ask("tools/call", 2, name="create_client", arguments={"name": name})
        program.tell("  \r")
        program.tell("{")
        broken = program.answer()
        program.tell({"jsonrpc": "2.0", "method": "notifications/initialized"})
        pong = program.ask("ping", 3)

    assert made["result"]["structuredContent"]["data"]["name"] == name
    assert (broken["id"], broken["error"]["code"]) == (None, -32700)
    assert (pong["id"], pong["result"]) == (3, {})


def test_a_cancelled_call_is_given_up_and_not_answered(node: Node, extension: Path) -> None:
    """The server here answers no tool call before its client has left."""
    arrived, left = threading.Event(), threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if message.get("method") == "tools/call":
                arrived.set()
                # An empty read: the other side closed the connection.
                left.set() if not self.connection.recv(1) else None
                return
            body = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": {}}).encode()
            self.send_response(200 if "id" in message else 202)
            self.send_header("Content-Length", str(len(body) if "id" in message else 0))
            self.end_headers()
            self.wfile.write(body if "id" in message else b"")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/mcp"
        with running(*command_of(node, extension, assembled_token(), address)) as program:
            call = {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "get_me"}}
            program.tell(call)
            assert arrived.wait(20)
            program.tell({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}})
            assert left.wait(20)
            pong = program.ask("ping", 6)
        server.shutdown()

    assert pong["id"] == 6
