"""Starts the real thing for tests: a console under gunicorn, in a folder and on a port of its own."""

import http.client
import itertools
import json
import os
import random
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.management import Manager
from tests.paths import ROOT
from tests.prepared import console_environment, copy_static, fill_database
from tests.subprocesses import Process, module_start

START_TIMEOUT_S = 60


# Below those that the system gives to connections, of which a test run makes thousands: one of them could take a port
# between the search for it and the start of a server. Each process begins elsewhere, whatever seed its tests have.
_PORTS = range(10_000, 32_000)
_next_port = itertools.count(random.SystemRandom().randrange(len(_PORTS)))


def free_port() -> int:
    """A loopback port that nobody listens on just now, and that this process has not been told before."""
    for number in itertools.islice(_next_port, len(_PORTS)):
        port = _PORTS[number % len(_PORTS)]
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("All ports are taken.")


def gunicorn_number(name: str) -> int:
    """The number `name` of gunicorn's configuration, which is not imported: it changes the process that does."""
    text = (ROOT / "hoursmith_console/server/gunicorn_conf.py").read_text(encoding="utf-8")
    (number,) = re.findall(rf"^{name} = (\d+)$", text, re.MULTILINE)
    return int(number)


@dataclass
class Served:
    """A running console."""

    var: Path
    port: int
    environment: dict[str, str]
    workers: int
    may_fork: bool = True
    application: str = "hoursmith_console.asgi:application"
    process: Process | None = None
    people: list[dict[str, Any]] = field(default_factory=list)
    _manager: Manager | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connection(self, timeout: float) -> http.client.HTTPConnection:
        """A connection to it that is not opened yet."""
        parts = urlsplit(self.url)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)

    @property
    def mcp_url(self) -> str:
        return f"{self.url}/mcp"

    @property
    def pid(self) -> int:
        """The master's; the workers are its children."""
        assert self.process is not None
        return self.process.pid

    def worker_pids(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        return [int(pid) for pid in children.split()]

    def person(self, role: str) -> dict[str, Any]:
        """The first seeded person with `role` (e-mail, name, password)."""
        return next(person for person in self.people if person["role"].upper() == role.upper())

    def manage(self, *arguments: str, check: bool = True, environment: dict[str, str] | None = None) -> str:
        """What `manage.py …` printed; `check` fails the test where it exits with another code than 0."""
        if self._manager is None or not self._manager.fits(self.environment):
            self.dismiss_manager()
            self._manager = Manager(self.environment, may_fork=self.may_fork)
        return self._manager.run(*arguments, check=check, more=environment)

    def dismiss_manager(self) -> None:
        if self._manager is not None:
            self._manager.close()
            self._manager = None

    def mint(self, email: str, name: str = "test token", scope: str | None = None) -> str:
        """A new sandbox token."""
        more = ("--scope", scope) if scope else ()
        return self.manage("sandbox_mint", "--email", email, "--name", name, *more).strip()

    def mint_for(self, role: str, name: str = "test token", scope: str | None = None) -> str:
        return self.mint(self.person(role)["email"], name, scope)

    def shell(self, code: str) -> Any:
        """The JSON that `code`, run in the console's own Django, prints: the way to look into its database."""
        return json.loads(self.manage("shell", "--verbosity", "0", "--command", code))

    def output(self) -> str:
        """All that the server wrote to standard output and error so far."""
        return (self.var / "server.log").read_text(encoding="utf-8", errors="replace")

    def start(self, *, as_installed: bool = False) -> None:
        """Start the server alone, or as `hoursmith-console serve` does, which migrates the database first."""
        gunicorn = (
            *("gunicorn", "--config", "python:hoursmith_console.server.gunicorn_conf"),
            self.application,
        )
        program = ("hoursmith_console.server.run",) if as_installed else gunicorn
        with (self.var / "server.log").open("ab") as log, open(os.devnull, "rb") as nothing:
            self.process = module_start(
                *program,
                environment=self.environment,
                stdin=nothing.fileno(),
                stdout=log.fileno(),
                stderr=log.fileno(),
                may_fork=self.may_fork,
            )
        self._wait()

    def _wait(self) -> None:
        assert self.process is not None
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise AssertionError(f"The console did not start:\n{self.output()}")
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise AssertionError(f"The console was not up after {START_TIMEOUT_S} s:\n{self.output()}")

    def stop(self) -> int:
        """End it the polite way; its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                self.kill()
        code = self.process.poll()
        assert code is not None
        return code

    def kill(self) -> None:
        """End it and its workers with SIGKILL."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)


def _pooled(database_url: str) -> dict[str, str]:
    from tests.poolers import behind_pooler

    url, direct_url = behind_pooler(database_url)
    return {"DATABASE_URL": url, **({"DATABASE_DIRECT_URL": direct_url} if direct_url else {})}


@contextmanager
def served_console(
    folder: Path,
    *,
    env: dict[str, str] | None = None,
    database_url: str | None = None,
    workers: int = 1,
    seed: bool = True,
    static: bool = True,
    start: bool = True,
    may_fork: bool = True,
) -> Iterator[Served]:
    """A console of its own in `folder`. With `HOURSMITH_API_URL` in `env` it is hosted, else it has a sandbox.

    Where what the system shows of a process matters, its variables for example, it must not be forked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    environment = console_environment(folder, port, workers, env or {}, database_url)
    served = Served(folder, port, environment, workers, may_fork)
    seed = seed and "HOURSMITH_API_URL" not in environment
    if static:
        copy_static(folder)
    printed = fill_database(environment["DATABASE_URL"], folder=folder, seed=seed)
    served.people = json.loads(printed)["members"] if seed else []
    # Filled without it: it would keep connections to what databases are copies of.
    served.environment.update(_pooled(environment["DATABASE_URL"]))
    if start:
        served.start()
    try:
        yield served
    finally:
        served.dismiss_manager()
        if served.process is not None and served.process.poll() is None:
            served.stop()


@contextmanager
def beside(first: Served, folder: Path, *, workers: int = 1, static: bool = True) -> Iterator[Served]:
    """A second node with the database and the keys of the first, and a folder of its own."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    own = {"VAR_DIR": str(folder), "PORT": str(port), "WEB_CONCURRENCY": str(workers)}
    node = Served(folder, port, {**first.environment, **own}, workers, first.may_fork)
    if static:
        copy_static(folder)
    node.start()
    try:
        yield node
    finally:
        node.dismiss_manager()
        if node.process is not None and node.process.poll() is None:
            node.stop()
