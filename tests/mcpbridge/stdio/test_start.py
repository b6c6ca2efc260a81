"""How `manage.py mcp_stdio` starts and ends: a client waits for it, some give up, and some leave after asking."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mcpbridge import __version__
from tests.paths import ROOT
from tests.servers import Served

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "Waits", "version": "1"}}
CALL = {"id": 2, "method": "tools/call", "params": {"name": "get_me", "arguments": {}}}
ONLY_FOR_PAGES = {
    *("allauth", "django_htmx", "requests", "django.contrib.admin", "django.contrib.auth", "django.contrib.sessions"),
    *("hoursmith_console.core.site", "hoursmith_console.workspaces", "hoursmith_console.rotations"),
    *("gunicorn", "markdown_it", "qrcode", "uvloop", "whitenoise"),
}
# Drivers of what is not configured here.
ONLY_FOR_OTHERS = {"psycopg", "httpx", "hoursmith_console.sandbox"}
# 1,195 are loaded, most of them by the SDK; a heavy library would bring a hundred more.
MOST_MODULES = 1_280
# The command as it is, but that its bridge starts when a byte comes from the test, however long that takes.
HELD = """
import asyncio, os, sys
import django
django.setup()
import mcpbridge.stdio.server
from mcpbridge.app import Bridge
from mcpbridge.management.commands import mcp_stdio

class HeldBridge(Bridge):
    async def start(self):
        await asyncio.to_thread(os.read, int(sys.argv[1]), 1)
        await super().start()

mcpbridge.stdio.server.LAST_ANSWERS_S = 60
mcp_stdio.Bridge = HeldBridge
mcp_stdio.Command().run_from_argv(["manage.py", "mcp_stdio"])
"""


@pytest.fixture
def environment(console: Served) -> dict[str, str]:
    """The console's own, as an operator has it: which settings the command takes is its own affair."""
    own = {name: value for name, value in console.environment.items() if name != "DJANGO_SETTINGS_MODULE"}
    return {**own, "HOURSMITH_API_TOKEN": console.mint_for("OWNER", "Starts the command")}


def test_nothing_is_loaded_that_only_pages_and_other_installations_need(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / "manage.py"), "mcp_stdio"],
        stdin=subprocess.DEVNULL,
        env={**environment, "HOURSMITH_API_URL": "http://127.0.0.1:9/api/v1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    loaded = set(re.findall(r"^import time: .*\| +(\S+)$", done.stderr, re.MULTILINE))
    assert {"mcpbridge.stdio.server", "mcpbridge.app", "django.db.models"} <= loaded
    assert loaded & (ONLY_FOR_PAGES | ONLY_FOR_OTHERS) == set()
    assert len(loaded) <= MOST_MODULES


@contextmanager
def held(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The command, and the pipe that it waits for."""
    reading, writing = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", HELD, str(reading)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**environment, "DJANGO_SETTINGS_MODULE": "hoursmith_console.stdio_settings"},
        pass_fds=[reading],
        text=True,
    ) as process:
        os.close(reading)
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        try:
            yield process, writing
        finally:
            os.close(writing)
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
            watchdog.cancel()


def say(process: subprocess.Popen[str], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def assert_is_owner(called: Any) -> None:
    assert (called["id"], called["result"]["structuredContent"]["data"]["role"]) == (2, "OWNER")


def test_the_client_is_greeted_and_told_the_tools_before_the_bridge_has_started(environment: dict[str, str]) -> None:
    with held(environment) as (process, gate):
        say(process, {"id": 1, "method": "initialize", "params": HELLO})
        server = answer(process)["result"]["serverInfo"]
        assert (server["name"], server["version"]) == ("hoursmith", __version__)
        say(process, CALL)
        say(process, {"id": 3, "method": "tools/list", "params": {}})
        listed = answer(process)
        assert (listed["id"], len(listed["result"]["tools"])) == (3, 31)
        os.write(gate, b".")
        assert_is_owner(answer(process))
    assert process.returncode == 0


def test_a_client_that_closes_its_side_after_asking_still_gets_the_answer(environment: dict[str, str]) -> None:
    with held(environment) as (process, gate):
        say(process, {"id": 1, "method": "initialize", "params": HELLO})
        say(process, {"method": "notifications/initialized"})
        say(process, CALL)
        assert process.stdin is not None
        process.stdin.close()
        assert answer(process)["id"] == 1
        os.write(gate, b".")
        assert_is_owner(answer(process))
        assert process.stdout is not None
        assert process.stdout.read() == ""
    assert process.returncode == 0
