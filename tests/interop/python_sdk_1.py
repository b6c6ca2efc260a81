"""The official Python client of the first major version, in a virtual environment of its own.

`python_sdk_1.lock` pins it. Run by that environment's Python, this file is the client: it reads a line of JSON that
says what to connect to, then one tool call a line, and answers each with one line.
"""

import asyncio
import fcntl
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
HOME = HERE / ".python-sdk-1"
LOCK = HERE / "python_sdk_1.lock"
INSTALL_TIMEOUT_S = 600


class ClientUnavailableError(Exception):
    """The client cannot be installed on this machine, for the reason that the message gives."""


def installed_python() -> Path:
    """Return the Python that has the client; installs it on first use. Raises ClientUnavailableError."""
    with (HERE / ".install-lock-python").open("w") as lock:
        # Several test processes may come at once; the first one installs.
        fcntl.flock(lock, fcntl.LOCK_EX)
        python, done = HOME / "bin/python", HOME / ".console-installed"
        if not done.exists() or done.read_bytes() != LOCK.read_bytes():
            # The pip here fills it: to install another one there takes longer than all the packages.
            _run(sys.executable, "-m", "venv", "--clear", "--without-pip", str(HOME))
            pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-compile")
            _run(*pip, "--require-hashes", "--requirement", str(LOCK))
            done.write_bytes(LOCK.read_bytes())
    return python


def _run(*command: str) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=True)
    except subprocess.CalledProcessError as error:
        raise ClientUnavailableError(f"The Python client could not be installed: {error.stderr[-1000:]}") from None
    except subprocess.TimeoutExpired:
        raise ClientUnavailableError(f"The Python client was not installed in {INSTALL_TIMEOUT_S} s") from None


async def _talk(job: dict[str, Any]) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client  # type: ignore[attr-defined]

    headers = {"Authorization": f"Bearer {job['token']}"}
    async with (
        streamablehttp_client(job["url"], headers=headers) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        greeting: Any = await session.initialize()
        tools = [_wire(tool) for tool in (await session.list_tools()).tools]
        _say({"protocol": greeting.protocolVersion, "server": {"name": greeting.serverInfo.name}, "tools": tools})
        while line := await asyncio.to_thread(sys.stdin.readline):
            call = json.loads(line)
            _say(_wire(await session.call_tool(call["name"], call["arguments"])))


def _wire(value: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dumped


def _say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_talk(json.loads(sys.stdin.readline())))
