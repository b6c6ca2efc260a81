"""The log and the attacker of the tests of anchors, and databases that are put back to an earlier state."""

import itertools
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connections

from tests.databases import RecordDatabase
from tests.mcpbridge.audit.anchors.conftest import restart, signed, sql

__all__ = ["restart", "signed", "sql"]
_NUMBERS = itertools.count()
Backup = Callable[[], Callable[[], None]]


@pytest.fixture
def backup(database: RecordDatabase) -> Backup:
    """Back up the database as the manual says; the result restores it."""

    def made() -> Callable[[], None]:
        if database.path is not None:
            return _sqlite(database.path)
        return _postgres(database)

    return made


def _sqlite(path: Path) -> Callable[[], None]:
    copy = path.with_name(f"backup-{next(_NUMBERS)}.sqlite3")
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    target.close()

    def restore() -> None:
        connections["default"].close()
        for old in path.parent.glob(f"{path.name}*"):
            old.unlink()
        path.write_bytes(copy.read_bytes())

    return restore


def _postgres(database: RecordDatabase) -> Callable[[], None]:
    assert database.cluster is not None
    cluster, name = database.cluster, database.name
    connections["default"].close()
    # A pooler keeps its connection, and a database in use cannot be copied.
    database.disconnect_everybody()
    copy = f"{name}_backup_{next(_NUMBERS)}"
    cluster.create_database(copy, template=name)

    def restore() -> None:
        connections["default"].close()
        cluster.create_database(name, template=copy)

    return restore
