"""Each client from its first request to its refusal: it signs in, lists tools, refreshes, and loses its access."""

import asyncio
import json
import os
import pty
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from mcp import Client, StdioServerParameters

from tests.interop.claude_code import ClaudeCode
from tests.interop.clients import _streams
from tests.interop.node import CONFORMANCE, INSPECTOR, MCP_REMOTE, RUN_TIMEOUT_S, Node
from tests.interop.sign_in import consent, python_client
from tests.servers import free_port

TYPESCRIPT = Path(__file__).with_name("typescript_client.mjs")
# Of the documents that the console knows, one whose answers go to the user's own computer.
DOCUMENT = "https://claude.ai/oauth/claude-code-client-metadata"


@dataclass(frozen=True, slots=True)
class Site:
    """The console as one client's user knows it. `wait` ends when the access tokens of now are certainly expired."""

    url: str
    token: str
    wait: Callable[[], None]
    end: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Story:
    """What became of one client. `asked` counts how often its user had to sign in until the access was ended."""

    tools: set[str]
    asked: int
    refusal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialStory(Story):
    """The same of a client that shows what it holds: at first, and after the refresh.

    `ended` and `renewal` are the console's answers to these tokens once the access was ended.
    """

    client: str
    first: dict[str, str]
    last: dict[str, str]
    ended: httpx.Response
    renewal: httpx.Response


class _Process:
    """A client that is told what to do on its standard input."""

    def __init__(self, command: list[str], home: Path) -> None:
        self.asked = 0
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"HOME": str(home), "PATH": os.environ["PATH"]},
        )
        self._watchdog = threading.Timer(RUN_TIMEOUT_S, self._process.kill)
        self._watchdog.start()

    def tell(self, token: str, decision: str = consent.ALLOW, **line: Any) -> dict[str, Any]:
        """Send a line, and answer as its user for as long as it asks."""
        answer = self._told(line)
        while "open" in answer:
            self.asked += 1
            answer = self._told({"callback": consent.decide(answer["open"], token, decision)})
        return answer

    def _told(self, line: dict[str, Any]) -> dict[str, Any]:
        stdin, stdout, stderr = _streams(self._process)
        stdin.write(json.dumps(line) + "\n")
        stdin.flush()
        text = stdout.readline()
        assert text, f"The client gave up: {stderr.read()}"
        answer: dict[str, Any] = json.loads(text)
        return answer

    def close(self) -> None:
        self._watchdog.cancel()
        self._process.kill()
        self._process.communicate()


def official(command: list[str], site: Site, home: Path, *, pinned: bool, **job: Any) -> OfficialStory:
    """Return the story of an official client, which `command` starts."""
    # Nothing listens there: the user hands the answer over.
    redirect = f"http://localhost:{free_port()}/callback"
    process = _Process(command, home)
    try:
        document = DOCUMENT if pinned else None
        seen = process.tell(
            site.token, url=site.url, name="Interop sign-in", redirect=redirect, document=document, **job
        )
        assert "tools" in seen, seen
        site.wait()
        again = process.tell(site.token, name="get_me", arguments={})
        assert again.get("is_error") is False, again
        asked = process.asked
        site.end()
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        ended = httpx.post(site.url, json=ping, headers={"Authorization": f"Bearer {again['access']}"}, timeout=30)
        refused = process.tell(site.token, consent.DENY, name="get_me", arguments={})
        form = {"grant_type": "refresh_token", "refresh_token": again["refresh"], "client_id": seen["client"]}
        form |= {"client_secret": seen["secret"]} if seen.get("secret") else {}
        renewal = httpx.post(f"{site.url.partition('/mcp')[0]}/token", data=form, timeout=30)
        first, last = ({name: each[name] for name in ("access", "refresh")} for each in (seen, again))
        return OfficialStory(
            set(seen["tools"]),
            asked,
            refused.get("fault", ""),
            client=seen["client"],
            first=first,
            last=last,
            ended=ended,
            renewal=renewal,
        )
    finally:
        process.close()


def python(binary: Path, site: Site, home: Path, *, pinned: bool) -> OfficialStory:
    return official([str(binary), python_client.__file__], site, home, pinned=pinned)


def typescript(node: Node, site: Site, home: Path, *, sdk: int, pinned: bool) -> OfficialStory:
    return official([str(node.binary), str(TYPESCRIPT)], site, home, pinned=pinned, sdk=sdk)


class Browser:
    """What a client opens as its user's browser; the user of `token` answers in it."""

    def __init__(self, folder: Path, token: str) -> None:
        self._folder = folder
        (folder / "token").write_text(token, encoding="utf-8")
        self.decides(consent.ALLOW)
        (folder / "opened").touch()
        # By this name programs find it that do not ask for BROWSER.
        path = folder / "xdg-open"
        command = shlex.join([sys.executable, str(consent.__file__), str(folder)])
        path.write_text(f'#!/bin/sh\nexec {command} "$1" >{folder}/said 2>&1\n', encoding="utf-8")
        path.chmod(0o700)
        self.environment = {"BROWSER": str(path), "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}

    def decides(self, decision: str) -> None:
        (self._folder / "decision").write_text(decision, encoding="utf-8")

    @property
    def opened(self) -> int:
        """How often it was opened."""
        return len((self._folder / "opened").read_text(encoding="utf-8").splitlines())


def in_terminal(command: list[str], environment: dict[str, str], folder: Path) -> tuple[int, str]:
    """Run `command` in a terminal of its own; return its exit code and what it showed."""
    main, side = pty.openpty()
    with subprocess.Popen(
        command, stdin=side, stdout=side, stderr=side, env=environment, cwd=folder, start_new_session=True
    ) as process:
        os.close(side)
        watchdog = threading.Timer(RUN_TIMEOUT_S, process.kill)
        watchdog.start()
        shown = b""
        try:
            while piece := os.read(main, 65536):
                shown += piece
        except OSError:
            # So a terminal ends on Linux.
            pass
        finally:
            os.close(main)
            code = process.wait()
            watchdog.cancel()
    return code, shown.decode(errors="replace")


def mcp_remote(node: Node, site: Site, home: Path) -> Story:
    """Return the story of mcp-remote, behind a client that only starts commands."""
    browser = Browser(home, site.token)
    environment = {**browser.environment, "HOME": str(home), "MCP_REMOTE_CONFIG_DIR": str(home / "kept")}
    command = [str(node.binary), str(MCP_REMOTE), site.url, "--transport", "http-only"]
    return asyncio.run(
        _over_stdio(StdioServerParameters(command=command[0], args=command[1:], env=environment), site, browser)
    )


async def _over_stdio(server: StdioServerParameters, site: Site, browser: Browser) -> Story:
    async with Client(server, mode="legacy", read_timeout_seconds=RUN_TIMEOUT_S) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        await asyncio.to_thread(site.wait)
        again = await client.call_tool("get_me", {})
        assert not again.is_error, again
        asked = browser.opened
        await asyncio.to_thread(site.end)
        browser.decides(consent.DENY)
        try:
            refusal = str(await client.call_tool("get_me", {}))
        except Exception as error:
            refusal = str(error)
        return Story(tools, asked, refusal)


def inspector(node: Node, site: Site, home: Path) -> Story:
    """Return the story of the Inspector's command line, which starts anew for each request."""
    browser = Browser(home, site.token)
    # It finds no keychain here, and would forget its tokens.
    environment = {**browser.environment, "HOME": str(home), "NO_COLOR": "1", "MCP_INSPECTOR_SECRET_STORE": "file"}
    base = [str(node.binary), str(INSPECTOR), "--cli", "--server-url", site.url, "--transport", "http"]

    def run(*arguments: str) -> tuple[int, str]:
        return in_terminal([*base, *arguments, "--format", "json"], environment, home)

    code, shown = run("--method", "tools/list")
    assert code == 0, shown
    tools = set(re.findall(r'"name": ?"(\w+)"', shown))
    site.wait()
    code, again = run("--method", "tools/call", "--tool-name", "get_me")
    assert code == 0, again
    asked = browser.opened
    site.end()
    browser.decides(consent.DENY)
    code, refusal = run("--method", "tools/call", "--tool-name", "get_me")
    assert code != 0, refusal
    return Story(tools, asked, refusal)


def claude_code(node: Node, site: Site, home: Path) -> Story:
    """Return the story of Claude Code, whose model is a stand-in."""
    browser = Browser(home, site.token)
    entry = {"mcpServers": {"hoursmith": {"type": "http", "url": site.url}}}
    # No token in its environment: it has the address alone.
    claude = ClaudeCode(node, home, "", json.dumps(entry))
    claude.path.write_text(json.dumps(entry), encoding="utf-8")
    environment = {**claude.environment("http://127.0.0.1:9"), **browser.environment, "HOME": str(home)}
    login = [str(node.binary), str(claude.script), "mcp", "login", "hoursmith"]
    code, shown = in_terminal(login, environment, home)
    assert code == 0, shown
    claude.configuration = ""
    site.wait()
    model = claude.work(("get_me", {}))
    assert not model.answers[0].is_error, model.answers[0].text
    asked = browser.opened
    site.end()
    done = claude.run("mcp", "list")
    return Story(model.tools, asked, done.stdout + done.stderr)


def conformance(node: Node, url: str, revision: str, token: str, folder: Path) -> dict[str, str]:
    """Return the checks of the official suite for authorization servers, and what each that failed said.

    The suite's user opens the address that it prints.
    """
    port = free_port()
    registration = {
        "client_name": "Conformance",
        "redirect_uris": [f"http://127.0.0.1:{port}/callback"],
        "token_endpoint_auth_method": "none",
    }
    client = httpx.post(f"{url}/register", json=registration, timeout=30).json()["client_id"]
    where = ("--url", url, "--resource", f"{url}/mcp", "--client-id", client, "--port", str(port))
    command = [str(node.binary), str(CONFORMANCE), "authorization", *where, "--spec-version", revision]
    command += ["--output-dir", str(folder / "results")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder, env={"HOME": str(folder)}
    ) as process:
        watchdog = threading.Timer(RUN_TIMEOUT_S, process.kill)
        watchdog.start()
        try:
            for line in process.stdout or ():
                if f"{url}/authorize?" in line:
                    address = line[line.index(f"{url}/authorize?") :].strip()
                    httpx.get(consent.decide(address, token), timeout=30)
        finally:
            watchdog.cancel()
            process.kill()
    results = [json.loads(path.read_text("utf-8")) for path in folder.glob("results/**/checks.json")]
    checks = [check for result in results for check in result]
    return {each["id"]: "" if each["status"] == "SUCCESS" else each.get("errorMessage", "failed") for each in checks}
