"""Scan every row of every table of a configured database.

Rows are read in batches by primary key, so that a large table neither fills the memory nor keeps a transaction open.
All columns that can contain text are read; on SQLite that is any column.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from mcpbridge.redaction.masking import redact
from mcpbridge.secret_scan.patterns import is_suspect, secrets_in

_BATCH = 2000
_KEY_LENGTH = 60
_TEXTLESS = (
    "smallint", "integer", "bigint", "numeric", "real", "double precision", "boolean", "date", "time", "timestamp",
    "interval", "uuid", "inet", "cidr", "oid",
)  # fmt: skip
# Tables whose keys are secrets themselves.
_SECRET_KEYS = frozenset({"django_session"})


@dataclass(frozen=True, slots=True)
class Table:
    """A table with alias `t`: `key` and `columns` are SQL expressions, `names` the column names."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    names: tuple[str, ...]


def tables_of(alias: str) -> list[Table]:
    """Return the tables of the database `alias` that have text columns."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
        describe = _sqlite_table if connection.vendor == "sqlite" else _postgres_table
        found = [describe(connection, cursor, name) for name in sorted(names)]
    return [table for table in found if table.columns]


def secrets_in_table(alias: str, table: Table) -> Iterator[tuple[str, str, str]]:
    """Yield column, primary key and description of each secret in the table."""
    for rows in _batches(connections[alias], table):
        values = [[_bytes(value) for value in row[len(table.key) :]] for row in rows]
        # One check for the whole batch, which nearly always finds nothing.
        if not is_suspect(b"\n".join(value for row in values for value in row)):
            continue
        for row, columns in zip(rows, values, strict=True):
            for name, value in zip(table.names, columns, strict=True):
                for description in dict.fromkeys(description for _, description in secrets_in(value)):
                    yield name, _key_text(table, row[: len(table.key)]), description


def rows_in(alias: str, table: Table) -> int:
    """Return the number of rows of the table."""
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {connections[alias].ops.quote_name(table.name)}")  # noqa: S608 – quoted
        return int(cursor.fetchone()[0])


def _batches(connection: BaseDatabaseWrapper, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    quote = connection.ops.quote_name
    wanted = ", ".join([*table.key, *table.columns])
    order = ", ".join(table.key)
    after: Sequence[Any] | None = None
    while True:
        condition = f" WHERE ({order}) > ({', '.join(['%s'] * len(table.key))})" if after is not None else ""
        statement = f"SELECT {wanted} FROM {quote(table.name)} AS t{condition} ORDER BY {order} LIMIT {_BATCH}"  # noqa: S608 – quoted
        with connection.cursor() as cursor:
            cursor.execute(statement, after)
            rows = cursor.fetchall()
        if rows:
            yield rows
        if len(rows) < _BATCH:
            return
        after = rows[-1][: len(table.key)]


def _sqlite_table(connection: BaseDatabaseWrapper, cursor: Any, name: str) -> Table:
    columns = [column.name for column in connection.introspection.get_table_description(cursor, name)]
    quoted = tuple(connection.ops.quote_name(column) for column in columns)
    return Table(name, ("t.rowid",), quoted, tuple(columns))


def _postgres_table(connection: BaseDatabaseWrapper, cursor: Any, name: str) -> Table:
    cursor.execute(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = ANY (current_schemas(false)) AND table_name = %s ORDER BY ordinal_position",
        [name],
    )
    found = [(column, kind) for column, kind in cursor.fetchall() if not kind.startswith(_TEXTLESS)]
    quote = connection.ops.quote_name
    columns = tuple(quote(column) if kind == "bytea" else f"{quote(column)}::text" for column, kind in found)
    key = connection.introspection.get_primary_key_columns(cursor, name) or []
    keyed = tuple(f"t.{quote(column)}" for column in key) or ("t.ctid",)
    return Table(name, keyed, columns, tuple(column for column, _ in found))


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode(errors="replace")
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else b""


def _key_text(table: Table, key: Sequence[Any]) -> str:
    shown = redact(", ".join(str(part) for part in key))[:_KEY_LENGTH]
    return f"{shown[:6]}…" if table.name in _SECRET_KEYS else shown
