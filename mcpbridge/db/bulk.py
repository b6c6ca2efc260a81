"""Bulk INSERT, COPY and UPSERT for several hundred rows at a time.

About three times faster per row than Django's bulk_create, which also cannot add to existing values. Both supported
databases have the same INSERT … ON CONFLICT.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

import orjson
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from mcpbridge.redaction.fields import Masked
from mcpbridge.redaction.patterns import is_suspect

# Columns whose values the drivers take unchanged; others are prepared by their field, or by a faster equivalent.
_PLAIN = (models.CharField, models.IntegerField, models.FloatField, models.BinaryField)
_PLAIN_FOR_POSTGRESQL = (models.UUIDField, models.DateTimeField)
_VALUES_A_STATEMENT = 900
_WORTH_COPYING = 5


class _Columns(NamedTuple):
    """The columns that a statement fills, and its parts. The same for every batch, so they are made once."""

    names: tuple[str, ...]
    table: str
    listed: str
    placeholders: str
    masked: list[Masked]
    # Those whose values are not passed unchanged, and their places.
    prepared: list[tuple[int, "models.Field[Any, Any]"]]


_known: dict[tuple[str, type[models.Model], tuple[str, ...]], _Columns] = {}


def _columns(connection: BaseDatabaseWrapper, model: type[models.Model], names: tuple[str, ...]) -> _Columns:
    key = (connection.vendor, model, names)
    if (known := _known.get(key)) is not None:
        return known
    quote, fields = connection.ops.quote_name, [_field(model, name) for name in names]
    _known[key] = made = _Columns(
        names=names,
        table=quote(model._meta.db_table),
        listed=", ".join(quote(str(field.column)) for field in fields),
        placeholders=f"({', '.join(['%s'] * len(fields))})",
        masked=[field for field in fields if isinstance(field, Masked)],
        prepared=[(place, field) for place, field in enumerate(fields) if not _is_plain(connection, field)],
    )
    return made


def insert(
    alias: str, model: type[models.Model], rows: Sequence[Mapping[str, Any]], *, are_masked: bool = False
) -> None:
    """Insert `rows`, each a mapping of the same field names to values of the exact column types.

    `are_masked`: the caller has masked secrets in them with `masked`.
    """
    if not rows:
        return
    connection = connections[alias]
    columns = _columns(connection, model, tuple(rows[0]))
    if not are_masked:
        rows = masked(columns.masked, rows)
    if connection.vendor == "postgresql" and len(rows) >= _WORTH_COPYING:
        _copy(connection, columns, rows)
    else:
        _execute(connection, columns, rows, ending="")


def _copy(connection: BaseDatabaseWrapper, columns: _Columns, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert by PostgreSQL's COPY, which takes the driver half the time of a parameterised INSERT."""
    copying = f"COPY {columns.table} ({columns.listed}) FROM STDIN"
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(copying) as copy:
        for values in _values(connection, columns, rows):
            copy.write_row(values)


def upsert(
    alias: str,
    model: type[models.Model],
    rows: Sequence[Mapping[str, Any]],
    *,
    key: Sequence[str],
    added: Sequence[str],
    latest: Sequence[str],
    by: str,
) -> None:
    """Insert `rows`; on a conflict of `key`, add the columns `added`, and set `latest` if `by` is not older.

    Safe with concurrent writers. `rows` must be sorted by `key`, so that two writers cannot deadlock.
    """
    if not rows:
        return
    connection = connections[alias]
    columns = _columns(connection, model, tuple(rows[0]))
    rows = masked(columns.masked, rows)
    table, quote = columns.table, connection.ops.quote_name

    def column(name: str) -> str:
        return quote(str(_field(model, name).column))

    newer = f"excluded.{column(by)} >= {table}.{column(by)}"
    changes = [f"{column(name)} = {table}.{column(name)} + excluded.{column(name)}" for name in added]
    changes += [
        f"{column(name)} = CASE WHEN {newer} THEN excluded.{column(name)} ELSE {table}.{column(name)} END"
        for name in latest
    ]
    taken = ", ".join(column(name) for name in key)
    _execute(connection, columns, rows, ending=f" ON CONFLICT ({taken}) DO UPDATE SET {', '.join(changes)}")


def _execute(
    connection: BaseDatabaseWrapper, columns: _Columns, rows: Sequence[Mapping[str, Any]], *, ending: str
) -> None:
    beginning = f"INSERT INTO {columns.table} ({columns.listed}) VALUES "  # noqa: S608 - names of our models
    line = columns.placeholders
    if connection.vendor == "sqlite":
        # One short prepared statement, instead of a long one that SQLite parses for each number of rows.
        with connection.cursor() as cursor:
            cursor.executemany(beginning + line + ending, _values(connection, columns, rows))
        return
    chunk = max(1, _VALUES_A_STATEMENT // len(columns.names))
    with connection.cursor() as cursor:
        for start in range(0, len(rows), chunk):
            part = rows[start : start + chunk]
            values = list(chain.from_iterable(_values(connection, columns, part)))
            cursor.execute(beginning + ", ".join([line] * len(part)) + ending, values)


def _values(connection: BaseDatabaseWrapper, columns: _Columns, rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """Return the values of each masked row in the order of the columns, prepared for the driver."""
    prepared = [(place, _preparation(connection, field)) for place, field in columns.prepared]
    made = []
    for row in rows:
        values = list(map(row.__getitem__, columns.names))
        for place, prepare in prepared:
            values[place] = prepare(values[place])
        made.append(values)
    return made


def masked(columns: Sequence[Masked], rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return `rows` with secrets masked in `columns`; one check of all texts is nearly always enough."""
    texts: list[str] = []
    for field in columns:
        for row in rows:
            value = row[field.name]
            if type(value) is str:
                texts.append(value)
            elif value:
                _collect(value, texts)
    if not is_suspect("\n\n".join(texts)):
        return rows
    return [{**row, **{field.name: field.masked(row[field.name]) for field in columns}} for row in rows]


def _collect(value: Any, texts: list[str]) -> None:
    """Add every text in a value of JSON's types to `texts`."""
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, dict):
        texts.extend(map(str, value))
        for item in value.values():
            _collect(item, texts)
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, texts)


def _is_plain(connection: BaseDatabaseWrapper, field: "models.Field[Any, Any]") -> bool:
    """Return whether the driver takes the values of the column unchanged."""
    return isinstance(field, _PLAIN) or (connection.vendor != "sqlite" and isinstance(field, _PLAIN_FOR_POSTGRESQL))


def _preparation(connection: BaseDatabaseWrapper, field: "models.Field[Any, Any]") -> Callable[[Any], Any]:
    """Return the function that prepares a value of the column for the driver."""
    is_sqlite = connection.vendor == "sqlite"
    if is_sqlite and isinstance(field, models.UUIDField):
        return attrgetter("hex")
    if is_sqlite and isinstance(field, models.DateTimeField):
        return _naive
    by_field = partial(field.get_db_prep_save, connection=connection)
    return partial(_json, by_field) if isinstance(field, models.JSONField) else by_field


def _naive(at: datetime | None) -> str | None:
    """Return an instant as SQLite stores it: in UTC, without a zone."""
    if at is None:
        return None
    return str((at if at.tzinfo is UTC else at.astimezone(UTC)).replace(tzinfo=None))


def _json(by_field: Callable[[Any], Any], value: Any) -> Any:
    """Return JSON as text, by orjson if it supports the value."""
    if value is None:
        return None
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return by_field(value)


def _field(model: type[models.Model], name: str) -> "models.Field[Any, Any]":
    field = model._meta.get_field(name)
    assert isinstance(field, models.Field)  # noqa: S101 - for the type checker; callers name columns only
    return field
