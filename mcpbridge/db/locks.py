"""Lets one process at a time, on any machine, do work that takes longer than a transaction may."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connections


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
