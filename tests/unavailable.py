"""Databases that refuse rows, as on a full or read-only disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper

from mcpbridge.models import AuditEvent


@pytest.fixture
def audit_unavailable() -> Iterator[None]:
    """Refuse every row of the audit log from now on, on any connection; all else is written and read as usual.

    A test that needs audit rows first asks for it later, by `request.getfixturevalue`.
    """
    with refused_inserts(AuditEvent._meta.db_table):
        yield


@contextmanager
def refused_inserts(table: str) -> Iterator[None]:
    """Let every INSERT into `table` fail as on a full disk, in all threads of this process."""
    beginning = f'INSERT INTO "{table}" '

    def refusing(real: Any) -> Any:
        def execute(cursor: CursorWrapper, statement: Any, *values: Any, **named: Any) -> Any:
            if str(statement).startswith(beginning):
                raise OperationalError("database or disk is full")
            return real(cursor, statement, *values, **named)

        return execute

    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute", "executemany"):
            patch.setattr(CursorWrapper, name, refusing(getattr(CursorWrapper, name)))
        yield


@contextmanager
def read_only_database() -> Iterator[None]:
    """Let this thread's connection refuse every write, as SQLite does on a disk that is mounted read-only."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")
        try:
            yield
        finally:
            cursor.execute("PRAGMA query_only = OFF")
