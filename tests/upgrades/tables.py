"""What a database holds and how its tables are made, read without the product."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

Query = Callable[[str], list[tuple[Any, ...]]]
Rows = dict[str, tuple[list[str], list[tuple[Any, ...]]]]
_COLUMNS = "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
_OURS = "table_schema = 'public'"
POSTGRES_SCHEMA = (
    f"{_COLUMNS} WHERE {_OURS}",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace",
    "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
)


def sqlite_query(path: Path) -> Query:
    """Return what runs a query on the file."""

    def run(query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(query).fetchall()

    return run


def postgres_query(url: str) -> Query:
    """Return what runs a query on the server."""

    def run(query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    return run


def schema(query: Query, *, is_sqlite: bool) -> set[tuple[Any, ...]]:
    """Return columns, indexes, constraints and triggers; those of all months of the activity log as one."""
    if is_sqlite:
        return set(query("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"))
    return {tuple(map(_plain, row)) for part in POSTGRES_SCHEMA for row in query(part)}


def _plain(value: Any) -> str:
    """Return a part of a definition without its month and the casts that the server writes another way after a dump."""
    return re.sub(r"::(?:text|character varying)(?:\[\])?|[()\s]|(?<=toolcall)_\d{4}_\d\d", "", str(value))


def rows(query: Query, *, is_sqlite: bool, of: Rows | None = None) -> Rows:
    """Return the columns and the rows, in order, of every table, or of the tables and columns of another answer."""
    columns = _columns(query, is_sqlite) if of is None else {name: names for name, (names, _) in of.items()}
    return {name: (names, _read(query, name, names)) for name, names in columns.items()}


def _columns(query: Query, is_sqlite: bool) -> dict[str, list[str]]:
    if is_sqlite:
        names = query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        return {name: [row[1] for row in query(f'PRAGMA table_info("{name}")')] for (name,) in names}
    found: dict[str, list[str]] = {}
    for table, column, *_ in query(f"{_COLUMNS} WHERE {_OURS} ORDER BY table_name, ordinal_position"):
        found.setdefault(table, []).append(column)
    return found


def _read(query: Query, table: str, names: list[str]) -> list[tuple[Any, ...]]:
    columns = ", ".join(f'"{name}"' for name in names)
    return sorted(query(f'SELECT {columns} FROM "{table}"'), key=repr)
