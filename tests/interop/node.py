"""The Node.js programs that tests run: official clients, the Inspector, the conformance suite, the page checker.

`package.json` names them, exactly; npm installs them beside it, with a Node.js that is new enough for them,
on first use. `python -m tests.interop.node` does it ahead of time.
"""

import fcntl
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
OLDEST_NODE = 22
INSTALL_TIMEOUT_S = 600
RUN_TIMEOUT_S = 120

CONFORMANCE = MODULES / "@modelcontextprotocol/conformance/dist/index.js"
INSPECTOR = MODULES / "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
MCPB = MODULES / "@anthropic-ai/mcpb/dist/cli/cli.js"
MCP_REMOTE = MODULES / "mcp-remote/dist/proxy.js"
AXE = MODULES / "axe-core/axe.min.js"
TYPESCRIPT_CLIENT = HERE / "typescript_client.mjs"


class NodeUnavailableError(Exception):
    """The programs cannot be had on this machine, for the reason that the message gives."""


@dataclass(frozen=True, slots=True)
class Node:
    """A Node.js that runs the installed programs."""

    binary: Path

    def run(
        self, script: Path, *arguments: str, home: Path, input_text: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """`script` run to its end. It inherits no environment but PATH; what it keeps, it keeps in `home`."""
        command = [str(self.binary), str(script), *arguments]
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if input_text is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "NO_COLOR": "1", **environment},
            cwd=home,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                output, errors = process.communicate(input_text, timeout=RUN_TIMEOUT_S)
            except BaseException:
                # Some scripts only start a program of their own, which would go on without them.
                os.killpg(process.pid, signal.SIGKILL)
                raise
        return subprocess.CompletedProcess(command, process.returncode, output, errors)


def installed_node() -> Node:
    """A Node.js with the programs beside it; installs them on first use. Raises NodeUnavailableError."""
    with (HERE / ".install-lock").open("w") as lock:
        # Several test processes may come at once; the first one installs.
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (HERE / "package-lock.json").read_bytes()
        done = MODULES / ".console-installed"
        if not done.exists() or done.read_bytes() != wanted:
            _install()
            done.write_bytes(wanted)
    return Node(_binary())


def _install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NodeUnavailableError("npm is not installed, so neither are the official clients")
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=HERE, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise NodeUnavailableError(f"npm did not install the official clients in {INSTALL_TIMEOUT_S} s") from None
    if done.returncode:
        raise NodeUnavailableError(f"npm could not install the official clients: {done.stderr[-1000:]}")


def _binary() -> Path:
    """The Node.js that came with the programs or, on machines that npm has none for, the machine's own."""
    for found in sorted(MODULES.glob("node-*/bin/node")):
        return found
    own = shutil.which("node")
    if own is not None and _major_version(own) >= OLDEST_NODE:
        return Path(own)
    raise NodeUnavailableError(f"there is no Node.js of version {OLDEST_NODE} or newer")


def _major_version(binary: str) -> int:
    shown = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    return int(shown.strip().removeprefix("v").split(".")[0])


if __name__ == "__main__":
    installed_node()
