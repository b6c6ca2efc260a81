"""Locks between threads, processes and machines: advisory locks, file locks, and work for one process at a time."""

import fcntl
import hashlib
import logging
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connections

from mcpbridge.db.timeouts import bounded_transaction

logger = logging.getLogger(__name__)

_POLL_S = 0.0002


def acquire_locks(alias: str, *names: str) -> None:
    """Acquire the advisory locks `names` until the transaction ends, waiting for them.

    On SQLite the write lock, which every transaction here holds from its start, is enough. On PostgreSQL each name is
    one lock; always pass them in the same order, so that writers on any number of machines cannot deadlock.
    """
    connection = connections[alias]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for name in names:
                cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def try_acquire_lock(alias: str, name: str) -> bool:
    """Acquire one advisory lock without waiting; return False if another transaction holds it."""
    connection = connections[alias]
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        return bool(cursor.fetchone()[0])


@contextmanager
def exclusive_lock(alias: str, name: str) -> Iterator[bool]:
    """Hold the lock `name` within the block, without waiting; yield False if another process or thread holds it.

    The kernel or the database releases it when the process dies. It is also lost with the database connection, so
    commits under it must still check the current state.
    """
    if connections[alias].vendor == "postgresql":
        with _advisory_lock(alias, name) as is_held:
            yield is_held
    elif connections[alias].is_in_memory_db():  # type: ignore[attr-defined]
        # No other process can see it.
        yield True
    else:
        with _file_lock(Path(connections[alias].settings_dict["NAME"]), name) as is_held:
            yield is_held


@contextmanager
def _advisory_lock(alias: str, name: str) -> Iterator[bool]:
    """Hold the lock in a transaction on a separate connection; a pooler keeps a transaction on one connection."""
    connection = connections.create_connection(alias)
    try:
        connection.set_autocommit(False)
        with connection.cursor() as cursor:
            # The transaction is idle while the work runs.
            cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', '0', true)")
            cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [name])
            is_held = bool(cursor.fetchone()[0])
        yield is_held
    finally:
        connection.close()


@contextmanager
def _file_lock(database: Path, name: str) -> Iterator[bool]:
    path = database.with_name(f"{database.name}-{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock")
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


class FileLock:
    """Lets the writers of several processes take turns by a lock on the file at `path`.

    SQLite's own way of waiting (sleep and retry) is unfair. The lock only orders the writers; the database protects the
    data. A writer that has waited `limit_s` seconds, because the holder hangs, continues without the lock.
    """

    def __init__(self, path: Path | None, *, limit_s: float) -> None:
        self._path = path
        self._limit_s = limit_s
        self._file: int | None = None

    def __enter__(self) -> None:
        if self._path is None:
            return
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._wait(self._file)
        except OSError as error:
            logger.warning("The lock file of the database writers cannot be used: %s", error.strerror)
            self._path = None

    def _wait(self, file: int) -> None:
        deadline = time.monotonic() + self._limit_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # Polled, because flock has no timeout; at random intervals, so that no process starves.
                if time.monotonic() >= deadline:
                    return
                time.sleep(_POLL_S * (0.5 + random.random()))  # noqa: S311 - no secret is made of it
            else:
                return

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class SingletonLock:
    """Lets one process at a time, on all machines, do the work `name`."""

    def __init__(self, alias: str, name: str, *, limit_s: float) -> None:
        """On PostgreSQL no statement of the work takes longer than `limit_s` seconds."""
        self._alias = alias
        self._name = name
        self._limit_s = limit_s
        self._file: int | None = None

    @contextmanager
    def try_acquire(self) -> Iterator[bool]:
        """Yield whether the work is this process's for the length of the block.

        On SQLite it stays this process's until it ends or calls `close`: a transaction would keep every writer waiting.
        """
        connection = connections[self._alias]
        if connection.vendor == "sqlite":
            yield self._lock_file(Path(f"{connection.settings_dict['NAME']}.{self._name}"))
            return
        # Bounded, so that a machine that loses its connection in here does not keep the others from working.
        with bounded_transaction(self._alias, limit_s=self._limit_s):
            yield try_acquire_lock(self._alias, self._name)

    def _lock_file(self, path: Path) -> bool:
        if self._file is None:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                return False
            self._file = file
        return True

    def close(self) -> None:
        """Let another process do the work."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
