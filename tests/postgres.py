"""A throwaway PostgreSQL server for tests: real, durable, on a port and in a folder of its own."""

import atexit
import ctypes
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.paths import made_once
from tests.prepared import EMPTY, POSTGRES, SEED_PRINTED, SEEDED, prepare
from tests.servers import free_port

START_TIMEOUT_S = 30
# What a database of the record alone is a copy of.
RECORD = "record_template"
_USER = "console"
_SET_PARENT_DEATH_SIGNAL = 1


def _programs() -> Path | None:
    """The folder with `initdb` and `postgres`; Debian keeps them out of the search path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path).resolve())
    return next((path.parent for path in reversed(found) if (path.parent / "postgres").exists()), None)


def as_nobody() -> dict[str, Any]:
    """How to start its programs: they refuse to run as root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


def end_with_parent() -> None:
    """For a child of this process, before it becomes a server: a test run that is killed leaves none behind.

    The kernel goes by the thread that started it, which has to live as long.
    """
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGQUIT)


class Cluster:
    """One PostgreSQL server."""

    def __init__(self, programs: Path, *, copy_of: Path | None = None, network: str = "") -> None:
        """Start it for this machine alone, or for whoever comes from `network` too, such as 10.0.0.0/8.

        It begins empty, or with the files of the stopped server in `copy_of`.
        """
        self._programs = programs
        self._listens_at = "*" if network else "127.0.0.1"
        self._folder = Path(tempfile.mkdtemp(prefix="console-pg-"))
        if os.geteuid() == 0:
            shutil.chown(self._folder, "nobody", "nogroup")
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        if copy_of is None:
            self._run("initdb", "-D", self._data, "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        else:
            # Whoever owns the files keeps them, which Python's own copy does not do.
            subprocess.run(["cp", "-a", str(copy_of), self._data], check=True)
        if network:
            with (self._folder / "data" / "pg_hba.conf").open("a", encoding="utf-8") as access:
                access.write(f"host all all {network} trust\n")
        self.start()

    @property
    def pid(self) -> int:
        """That of the running server; what serves its clients are its children."""
        assert self._process is not None
        return self._process.pid

    @property
    def owner(self) -> str | None:
        """Whose its files must be, where that is somebody else than this process's user."""
        return as_nobody().get("user")

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments], capture_output=True, text=True, cwd="/", **as_nobody()
        )
        if done.returncode:
            raise AssertionError(f"{program} failed:\n{done.stdout}\n{done.stderr}")

    def url(self, database: str = "postgres", *, host: str = "127.0.0.1") -> str:
        return f"postgres://{_USER}@{host}:{self._port}/{database}"

    def start(self) -> None:
        options = {"listen_addresses": self._listens_at, "unix_socket_directories": str(self._folder), "fsync": "on"}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._programs / "postgres"),
                    *("-D", self._data, "-p", str(self._port), "-N", "120", "-B", "32MB"),
                    *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
                ],
                stdout=log,
                stderr=log,
                cwd="/",
                preexec_fn=end_with_parent,
                **as_nobody(),
            )
        until = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise AssertionError((self._folder / "log").read_text(encoding="utf-8")) from None
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End the server; SIGQUIT at once and without a word to its clients, SIGINT in order."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=30)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the server keep all connections and answer nothing, as one does whose disk or machine hangs."""
        pids = [self.pid]
        pids += map(int, Path(f"/proc/{pids[0]}/task/{pids[0]}/children").read_text(encoding="ascii").split())
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)

    def copy_files(self, folder: Path) -> None:
        """Copy the files of the stopped server to `folder`."""
        subprocess.run(["cp", "-a", self._data, str(folder)], check=True)

    def log(self) -> bytes:
        """All that the server wrote so far."""
        return (self._folder / "log").read_bytes()

    def discard(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement on a connection of its own; its rows, if it has any."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def create_database(self, name: str, *, template: str = "template1", on_disk: Path | None = None) -> str:
        """Make the database `name`, anew where it exists; its URL. With `on_disk` its files lie in that folder."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        where = ""
        if on_disk:
            self.execute(f"CREATE TABLESPACE \"{name}\" LOCATION '{on_disk}'")
            where = f'TABLESPACE "{name}"'
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {where}')
        return self.url(name)

    def dump(self, name: str) -> Path:
        """Back up the database `name` as the manual says; the file."""
        file = self._folder / f"{name}.dump"
        self._run("pg_dump", "--format=custom", "--file", str(file), self.url(name))
        return file

    def restore(self, name: str, file: Path) -> None:
        """Make the database `name` anew from a file of `dump`."""
        self._run("pg_restore", "--exit-on-error", "--dbname", self.create_database(name), str(file))

    def drop_database(self, name: str) -> None:
        """Remove the database `name` that was made `on_disk`, and its place there."""
        self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        self.execute(f'DROP TABLESPACE "{name}"')


def _prepared(programs: Path) -> Path:
    """The files of a stopped server that has the databases which others are copies of; made once a test run."""

    def make(folder: Path) -> None:
        cluster = Cluster(programs)
        try:
            migrate = ("migrate", "--verbosity", "0")
            prepare(folder, ("migrate", "mcpbridge", "--verbosity", "0"), database_url=cluster.create_database(RECORD))
            prepare(folder, migrate, database_url=cluster.create_database(EMPTY))
            seeded = cluster.create_database(SEEDED, template=EMPTY)
            printed = prepare(folder, ("sandbox_seed", "--json"), database_url=seeded)
            (folder / SEED_PRINTED).write_text(printed, encoding="utf-8")
            cluster.stop(signal.SIGINT)
            cluster.copy_files(folder / "data")
        finally:
            cluster.discard()

    return made_once(POSTGRES, make) / "data"


@functools.cache
def _shared_cluster(programs: Path) -> Cluster:
    cluster = Cluster(programs, copy_of=_prepared(programs))
    atexit.register(cluster.discard)
    return cluster


def prepared_files(needs: Callable[[bool, str], None]) -> Path:
    """The files that servers of tests begin with. Skips where PostgreSQL is not installed."""
    return _prepared(_installed(needs))


def own_cluster(needs: Callable[[bool, str], None], *, files: Path, network: str) -> Cluster:
    """A server on a copy of `files` that listens to `network` too, in the caller's network namespace."""
    return Cluster(_installed(needs), copy_of=files, network=network)


def shared_cluster(needs: Callable[[bool, str], None]) -> Cluster:
    """The one server of this test process, started when first asked for. Skips where PostgreSQL is not installed."""
    return _shared_cluster(_installed(needs))


def _installed(needs: Callable[[bool, str], None]) -> Path:
    programs = _programs()
    needs(programs is not None, "PostgreSQL's server programs are not installed (Debian: postgresql).")
    if programs is None:  # pragma: no cover - `needs` has skipped or failed
        pytest.fail("PostgreSQL is not installed.")
    return programs
