"""The wheel, in an environment that has nothing else: it serves, runs commands and speaks MCP over stdio."""

import functools
import json
import os
import re
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mcpbridge import __version__
from tests.paths import ROOT
from tests.release.built import WHEEL, built_release
from tests.servers import free_port
from tests.waiting import eventually


class Installed:
    """The commands of the wheel, and the folder that is the home of who runs them."""

    def __init__(self, folder: Path) -> None:
        self.home, self._bin, self.port = folder / "home", folder / "venv" / "bin", free_port()
        self.home.mkdir()
        venv.create(folder / "venv")
        # By the pip that is there, since it takes seconds to install another.
        install = (sys.executable, "-m", "pip", "--python", str(self._bin / "python"), "install")
        install += ("--quiet", "--disable-pip-version-check")
        self._run(*install, "--require-hashes", f"--requirement={ROOT / 'requirements.lock'}")
        self._run(*install, "--no-deps", str(built_release() / WHEEL))

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def data(self) -> Path:
        return self.home / ".local" / "share" / "hoursmith-console"

    def start(self, *arguments: str, **more: Any) -> "subprocess.Popen[str]":
        """Start the command as a user would who has set nothing but the port."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "PORT": str(self.port)}
        environment |= more.pop("environment", {})
        return subprocess.Popen(
            [str(self._bin / "hoursmith-console"), *arguments], cwd=self.home, env=environment, text=True, **more
        )

    def run(self, *arguments: str, said: str = "", environment: dict[str, str] | None = None) -> tuple[int, str, str]:
        """The exit code and what was written to standard output and error."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = self.start(*arguments, environment=environment or {}, **pipes)
        out, err = process.communicate(said, timeout=60)
        return process.returncode, out, err


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def served(installed: Installed) -> Iterator[str]:
    """What it printed when it was ready."""
    log = installed.home / "log"
    with log.open("w", encoding="utf-8") as output:
        process = installed.start("serve", stdout=output, stderr=subprocess.STDOUT)
    try:
        said = functools.partial(log.read_text, encoding="utf-8")
        eventually(lambda: "Application startup complete" in said(), 120, told=said)
        yield log.read_text(encoding="utf-8")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0


def token_in(printed: str) -> str:
    found = re.search(r"hsk_\w+", printed)
    assert found
    return found[0]


def request(method: str, number: int = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


HELLO = request(
    "initialize",
    protocolVersion="2025-11-25",
    capabilities={},
    clientInfo={"name": "newcomer", "version": "1"},
)


def test_it_serves_pages_and_tools(installed: Installed, served: str) -> None:
    origin = f"http://127.0.0.1:{installed.port}"
    with httpx.Client(base_url=origin) as client:
        page = client.get("/accounts/login/")
        assert page.status_code == 200
        for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text):
            assert client.get(address).status_code == 200, address
        headers = {
            "Authorization": f"Bearer {token_in(served)}",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2025-11-25",
        }
        answer = client.post("/mcp", json=request("tools/list"), headers=headers)
        assert len(answer.json()["result"]["tools"]) == 31
    assert (installed.data / "var" / "console.sqlite3").exists()


def test_commands_run(installed: Installed, served: str) -> None:
    code, out, err = installed.run("manage", "audit_verify")
    assert (code, "valid through row" in out) == (0, True), out + err
    assert installed.run("version") == (0, f"{__version__}\n", "")
    code, _, err = installed.run("deliver")
    assert (code, "There is no command 'deliver'" in err) == (2, True)


def test_it_speaks_over_stdio(installed: Installed, served: str) -> None:
    said = "".join(json.dumps(each) + "\n" for each in (HELLO, request("tools/list", 2)))
    code, out, err = installed.run("mcp", said=said, environment={"HOURSMITH_API_TOKEN": token_in(served)})
    answers = {each["id"]: each for each in map(json.loads, out.splitlines())}
    assert (code, len(answers[2]["result"]["tools"])) == (0, 31), err
