"""Starts Python modules as processes of their own, forked from one that has loaded the libraries.

To start Python and to load the libraries takes two seconds of a processor, and tests start hundreds of consoles. The
product's own modules are loaded by each process itself, with the variables that it was given; only their compiled code
is read before, which is a third of what it takes to load them.
"""

import atexit
import functools
import gc
import importlib.util
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

from tests.paths import ROOT

# What the loader of programs or Python itself reads as a process begins; a fork begins nothing.
_READ_AT_THE_BEGINNING = ("LD_", "PYTHON", "MALLOC_")
# Whose modules run in what is forked only, and nearly all of them there.
_LOADED_LATER = ("hoursmith_console", "mcpbridge", "allauth", "prometheus_client", "whitenoise", "csp")


class Forked:
    """As much of `subprocess.Popen` as tests need, for what `python -m module` would run."""

    def __init__(
        self, module: str, *arguments: str, environment: dict[str, str], stdin: int, stdout: int, stderr: int
    ) -> None:
        """Start it, in a session of its own."""
        self.returncode: int | None = None
        ours, theirs = socket.socketpair()
        wanted = {"module": module, "arguments": arguments, "environment": environment}
        with theirs:
            socket.send_fds(_parent(), [json.dumps(wanted).encode()], [theirs.fileno(), stdin, stdout, stderr])
        # A plain number: nobody has to close it if a test ends without caring how the process ended.
        self._told = ours.detach()
        self.pid = int(self._next_line())

    def __del__(self) -> None:
        if self.returncode is None:
            os.close(self._told)

    def poll(self) -> int | None:
        """Its exit code, as `subprocess` counts them; None while it runs."""
        if self.returncode is None and self._has_ended(0):
            self.returncode = int(self._next_line())
            os.close(self._told)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Its exit code, once it has ended."""
        if self.returncode is None and not self._has_ended(timeout):
            raise subprocess.TimeoutExpired("a forked process", timeout)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _has_ended(self, wait_s: float) -> bool:
        # Tests open more files than `select` can name.
        watch = select.poll()
        watch.register(self._told, select.POLLIN)
        return bool(watch.poll(1000 * wait_s))

    def _next_line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self._told, 1)
            if not byte:
                raise AssertionError("The process that forks others is gone.")
            line += byte
        return line


Process = Forked | subprocess.Popen[bytes]


def module_start(
    module: str,
    *arguments: str,
    environment: dict[str, str],
    stdin: int,
    stdout: int,
    stderr: int,
    may_fork: bool = True,
) -> Process:
    """Start what `python -m module` would run, in a session of its own: forked, where that comes to the same.

    It does not where the variables say how a process is to begin. Nor, which is for the caller to say with `may_fork`,
    where it matters what the system shows of the process, or which network it is in.
    """
    if may_fork and _begins_alike(environment):
        return Forked(module, *arguments, environment=environment, stdin=stdin, stdout=stdout, stderr=stderr)
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=environment,
        cwd=ROOT,
        start_new_session=True,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
    )


def _begins_alike(environment: dict[str, str]) -> bool:
    names = {name for name in {*environment, *os.environ} if name.startswith(_READ_AT_THE_BEGINNING)}
    return all(environment.get(name) == os.environ.get(name) or name == "PYTHONPATH" for name in names)


@functools.cache
def _parent() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen([sys.executable, "-m", "tests.subprocesses"], stdin=theirs.fileno(), cwd=ROOT)

    def end() -> None:
        ours.close()
        process.wait(10)

    atexit.register(end)
    return ours


def _serve(control: socket.socket) -> None:
    """Start what is asked for; tell its pid and, when it has ended, its exit code. Until nobody asks any more."""
    import hoursmith_console.server.preload  # noqa: F401

    _read_code()
    # What is loaded stays: what is forked never looks through it again, which takes a sixth of its start.
    gc.collect()
    gc.freeze()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    running: dict[int, int] = {}
    while True:
        watched: list[socket.socket | int] = [control, woken]
        ready, _, _ = select.select(watched, [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_ended(running)
        if control in ready:
            wanted, files, _, _ = socket.recv_fds(control, 1 << 20, 4)
            if not wanted:
                return
            told, *streams = files
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for number in (told, woken, wake, *running.values()):
                    os.close(number)
                control.close()
                break
            for number in streams:
                os.close(number)
            running[pid] = told
            os.write(told, b"%d\n" % pid)
    _become(json.loads(wanted), streams)


def _read_code() -> None:
    """Let the modules of `_LOADED_LATER` be loaded from code in memory, which is the same for every process."""
    read = SourceFileLoader.get_code
    found = [importlib.util.find_spec(name) for name in _LOADED_LATER]
    folders = [Path(folder) for spec in found if spec for folder in spec.submodule_search_locations or ()]
    paths = [str(path) for folder in folders for path in folder.rglob("*.py")]
    codes = {path: read(SourceFileLoader("", path), "") for path in paths}

    def get_code(loader: SourceFileLoader, fullname: str) -> CodeType | None:
        return codes.get(loader.path) or read(loader, fullname)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign,assignment]


def _tell_ended(running: dict[int, int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        told = running.pop(pid)
        with suppress(BrokenPipeError):
            os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
        os.close(told)


def _become(wanted: dict[str, Any], streams: Sequence[int]) -> None:
    """In the forked process: run what was asked for, to its end."""
    os.setsid()
    for place, number in enumerate(streams):
        os.dup2(number, place)
        os.close(number)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    time.tzset()
    sys.argv = [str(wanted["module"]), *wanted["arguments"]]
    runpy.run_module(str(wanted["module"]), run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    # Not by its number, which is that of the standard input of what is forked.
    _serve(socket.socket(fileno=os.dup(0)))
