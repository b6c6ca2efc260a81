"""Starts the real thing for tests: a console under gunicorn, in a folder and on a port of its own."""

import atexit
import functools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 60


def free_port() -> int:
    """A loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Served:
    """A running console."""

    var: Path
    port: int
    environment: dict[str, str]
    workers: int
    process: subprocess.Popen[bytes] | None = None
    people: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

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
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=120,
            cwd=ROOT,
        )
        if check and done.returncode:
            raise AssertionError(f"manage.py {arguments[0]} exited {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

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

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "--config",
            "python:hoursmith_console.gunicorn_conf",
            "hoursmith_console.asgi:application",
        ]
        with (self.var / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, cwd=ROOT, start_new_session=True
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
        return int(self.process.returncode)

    def kill(self) -> None:
        """End it and its workers with SIGKILL."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)


@functools.cache
def _prepared() -> tuple[Path, str]:
    """A folder with what each SQLite console begins with, made once a test process, and what the seed printed."""
    folder = Path(tempfile.mkdtemp(prefix="console-prepared-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = Served(folder, 0, _environment(folder, 0, 1, {}, None), 1)
    made.manage("migrate", "--verbosity", "0")
    shutil.copy(folder / "console.sqlite3", folder / "empty-console.sqlite3")
    seed = made.manage("sandbox_seed", "--json")
    made.manage("collectstatic", "--no-input", "--verbosity", "0")
    return folder, seed


def _environment(
    folder: Path, port: int, workers: int, env: dict[str, str], database_url: str | None
) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "hoursmith_console.settings",
        "VAR_DIR": str(folder),
        "PORT": str(port),
        "WEB_CONCURRENCY": str(workers),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "AUDIT_SIGNING_KEY": secrets.token_urlsafe(48),
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url or f"sqlite:///{folder}/console.sqlite3",
        **env,
    }


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
) -> Iterator[Served]:
    """A console of its own in `folder`. With `HOURSMITH_API_URL` in `env` it is hosted, else it has a sandbox."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    environment = _environment(folder, port, workers, env or {}, database_url)
    served = Served(folder, port, environment, workers)
    seed = seed and "HOURSMITH_API_URL" not in environment
    prepared, printed = _prepared()
    if static:
        shutil.copytree(prepared / "static", folder / "static", dirs_exist_ok=True)
    if database_url:
        served.manage("migrate", "--verbosity", "0")
        printed = served.manage("sandbox_seed", "--json") if seed else ""
    else:
        shutil.copy(prepared / ("console.sqlite3" if seed else "empty-console.sqlite3"), folder / "console.sqlite3")
        if seed:
            shutil.copy(prepared / "console-sandbox.sqlite3", folder / "console-sandbox.sqlite3")
    served.people = json.loads(printed)["members"] if seed else []
    if start:
        served.start()
    try:
        yield served
    finally:
        if served.process is not None and served.process.poll() is None:
            served.stop()
