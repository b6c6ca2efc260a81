"""What is soaked: a console with two workers, its database, and the Hoursmith behind it, in processes of their own."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import psycopg

from bench.paths import ROOT
from tests.postgres import Cluster, shared_cluster
from tests.servers import Served, served_console

WORKERS = 2


class Upstream:
    """The Hoursmith that fails to order."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.soak.upstream"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.port = int(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def order(self, order: str) -> None:
        """Return once it is in that mode, or has done that."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        assert self._answer().strip() == "done", order

    def destroyed(self, path: Path) -> list[str]:
        """The ids of what it destroyed, once for each time, by way of the file at `path`."""
        self.order(f"report {path}")
        return path.read_text(encoding="ascii").split()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


class Sqlite:
    """The database where it is a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Somebody else holds the lock that every writer needs."""
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.rollback()

    @contextmanager
    def away(self, served: Served) -> Iterator[None]:
        """No file of the workers may grow, as on a full disk."""
        limited = served.worker_pids()
        for pid in limited:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        try:
            yield
        finally:
            for pid in limited:
                if Path(f"/proc/{pid}").exists():
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(question).fetchall()

    def dump(self, folder: Path) -> None:
        """Nothing: the files are the dump."""


class Postgres:
    """The database where it is a server."""

    def __init__(self) -> None:
        self._cluster: Cluster = shared_cluster(_needed)
        self.url = self._cluster.create_database("soak")
        # A server ends with the thread that started it, and those of an event loop end before the last look.
        self._starter = ThreadPoolExecutor(1)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Somebody else holds the tables that every writer needs."""
        with psycopg.connect(self.url) as other:
            other.execute("LOCK TABLE mcpbridge_auditevent, mcpbridge_toolcall IN ACCESS EXCLUSIVE MODE")
            yield
            other.rollback()

    @contextmanager
    def away(self, served: Served) -> Iterator[None]:
        """The server is gone, without a word to its clients."""
        self._cluster.stop(signal.SIGQUIT)
        try:
            yield
        finally:
            self._starter.submit(self._cluster.start).result()

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(question).fetchall()  # type: ignore[call-overload]

    def dump(self, folder: Path) -> None:
        """Write every row of every table to a file in `folder`, as text."""
        with psycopg.connect(self.url) as connection, (folder / "dump.txt").open("wb") as file:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for (table,) in tables:
                with connection.cursor().copy(f'COPY (SELECT * FROM "{table}") TO STDOUT') as copy:  # type: ignore[arg-type]
                    for piece in copy:
                        file.write(piece)


def _needed(is_there: bool, reason: str) -> None:
    if not is_there:
        sys.exit(reason)


Database = Sqlite | Postgres


async def _nothing() -> None:
    pass


class World:
    """All of it, running."""

    def __init__(self, served: Served, database: Database, upstream: Upstream) -> None:
        self.served = served
        self.database = database
        self.upstream = upstream
        # More callers, who read as fast as they are answered.
        self.crowd: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
        # An assistant loses its access.
        self.end_grant: Callable[[], Awaitable[None]] = _nothing

    def wait_for_workers(self) -> None:
        """Return once all workers serve."""
        until = time.monotonic() + 30
        while len(self.served.worker_pids()) != WORKERS:
            if time.monotonic() > until:
                raise RuntimeError(f"Workers: {self.served.worker_pids()}")
            time.sleep(0.05)


@contextmanager
def world(folder: Path, *, postgresql: bool) -> Iterator[World]:
    """The world, with its files in `folder`, until the end of the block."""
    upstream = Upstream()
    database = Postgres() if postgresql else Sqlite(folder / "console.sqlite3")
    env = {"HOURSMITH_API_URL": f"http://127.0.0.1:{upstream.port}/api/v1"}
    try:
        with served_console(
            folder, env=env, database_url=database.url, workers=WORKERS, static=False, may_fork=False
        ) as served:
            yield World(served, database, upstream)
    finally:
        upstream.end()
