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
    """Let nobody else hold any of `names` until this transaction ends.

    SQLite's write lock, which every transaction here has from its start, sees to that by itself. On PostgreSQL each
    name is a lock of its own; given in one order everywhere, writers on any number of machines queue and never wait
    for each other in a ring.
    """
    connection = connections[alias]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for name in names:
                cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def try_acquire_lock(alias: str, name: str) -> bool:
    """The same for one name, without waiting; False where somebody else has it."""
    connection = connections[alias]
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        return bool(cursor.fetchone()[0])


@contextmanager
def exclusively(alias: str, name: str) -> Iterator[bool]:
    """Hold `name` for as long as this lasts, without waiting for it; False where another process or thread has it.

    The kernel or the database lets go of it when the process dies. A lost connection to the database loses it too,
    so whoever commits under it still looks at what is there.
    """
    if connections[alias].vendor == "postgresql":
        with _held_by_server(alias, name) as is_held:
            yield is_held
    elif connections[alias].is_in_memory_db():  # type: ignore[attr-defined]
        # No other process sees it.
        yield True
    else:
        with _held_by_file(Path(connections[alias].settings_dict["NAME"]), name) as is_held:
            yield is_held


@contextmanager
def _held_by_server(alias: str, name: str) -> Iterator[bool]:
    """In a transaction, which a pooler leaves on one connection, and on a connection of its own."""
    connection = connections.create_connection(alias)
    try:
        connection.set_autocommit(False)
        with connection.cursor() as cursor:
            # It is idle for as long as the work takes.
            cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', '0', true)")
            cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [name])
            is_held = bool(cursor.fetchone()[0])
        yield is_held
    finally:
        connection.close()


@contextmanager
def _held_by_file(database: Path, name: str) -> Iterator[bool]:
    path = database.with_name(f"{database.name}-{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock")
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


class FileLock:
    """Lets the writers of several processes take turns, through a lock on the file at `path`.

    On SQLite they write to one file, and its own way of waiting (sleep and try again) is unfair. The lock orders the
    writers and nothing else: the database keeps the data sound. Who waits longer than `limit_s`
    seconds, because the holder hangs, goes on without it.
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
            logger.warning("Audit writers of several processes do not queue: %s", error.strerror)
            self._path = None

    def _wait(self, file: int) -> None:
        give_up_at = time.monotonic() + self._limit_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # Polled, because a lock with a time limit does not exist; at random, so that nobody starves.
                if time.monotonic() >= give_up_at:
                    return
                time.sleep(_POLL_S * (0.5 + random.random()))  # noqa: S311 - no secret is made of it
            else:
                return

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the file back."""
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
