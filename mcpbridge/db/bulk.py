"""Bulk INSERT, COPY and UPSERT for several hundred rows at a time.

About three times faster per row than Django's bulk_create, which also cannot add to existing values. Both supported
databases have the same INSERT … ON CONFLICT.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Any

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


def insert(alias: str, model: type[models.Model], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows`, each a mapping of the same field names to values of the exact column types."""
    connection = connections[alias]
    if connection.vendor == "postgresql" and len(rows) >= _WORTH_COPYING:
        _copy(connection, model, rows)
    else:
        _execute(alias, model, rows, ending="")


def _copy(connection: BaseDatabaseWrapper, model: type[models.Model], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert by PostgreSQL's COPY, which takes the driver half the time of a parameterised INSERT."""
    fields = [_field(model, name) for name in rows[0]]
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    table = connection.ops.quote_name(model._meta.db_table)
    copying = f"COPY {table} ({columns}) FROM STDIN"
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(copying) as copy:
        for values in _values(connection, fields, rows):
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
    quote = connections[alias].ops.quote_name
    table = quote(model._meta.db_table)

    def column(name: str) -> str:
        return quote(str(_field(model, name).column))

    newer = f"excluded.{column(by)} >= {table}.{column(by)}"
    changes = [f"{column(name)} = {table}.{column(name)} + excluded.{column(name)}" for name in added]
    changes += [
        f"{column(name)} = CASE WHEN {newer} THEN excluded.{column(name)} ELSE {table}.{column(name)} END"
        for name in latest
    ]
    taken = ", ".join(column(name) for name in key)
    _execute(alias, model, rows, ending=f" ON CONFLICT ({taken}) DO UPDATE SET {', '.join(changes)}")


def _execute(alias: str, model: type[models.Model], rows: Sequence[Mapping[str, Any]], *, ending: str) -> None:
    if not rows:
        return
    connection = connections[alias]
    quote = connection.ops.quote_name
    fields = [_field(model, name) for name in rows[0]]
    columns = ", ".join(quote(str(field.column)) for field in fields)
    beginning = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES "  # noqa: S608 - names of our models
    line = f"({', '.join(['%s'] * len(fields))})"
    chunk = max(1, _VALUES_A_STATEMENT // len(fields))
    if connection.vendor == "sqlite":
        # One short prepared statement, instead of a long one that SQLite parses for each number of rows.
        with connection.cursor() as cursor:
            cursor.executemany(beginning + line + ending, _values(connection, fields, rows))
        return
    with connection.cursor() as cursor:
        for start in range(0, len(rows), chunk):
            part = rows[start : start + chunk]
            values = list(chain.from_iterable(_values(connection, fields, part)))
            cursor.execute(beginning + ", ".join([line] * len(part)) + ending, values)


def _values(
    connection: BaseDatabaseWrapper, fields: Sequence["models.Field[Any, Any]"], rows: Sequence[Mapping[str, Any]]
) -> list[list[Any]]:
    """Return the values of each row in the order of `fields`, prepared for the driver."""
    names = [field.name for field in fields]
    rows = masked(fields, rows)
    prepared = [(place, _preparation(connection, field)) for place, field in enumerate(fields)]
    # Most values are passed unchanged; only the others are prepared one by one.
    prepared_only = [(place, prepare) for place, prepare in prepared if prepare is not None]
    made = []
    for row in rows:
        values = list(map(row.__getitem__, names))
        for place, prepare in prepared_only:
            values[place] = prepare(values[place])
        made.append(values)
    return made


def masked(
    fields: Sequence["models.Field[Any, Any]"], rows: Sequence[Mapping[str, Any]]
) -> Sequence[Mapping[str, Any]]:
    """Return `rows` with secrets masked in masked columns; one check of all texts is nearly always enough."""
    gated = [field for field in fields if isinstance(field, Masked)]
    texts: list[str] = []
    for field in gated:
        for row in rows:
            value = row[field.name]
            if type(value) is str:
                texts.append(value)
            elif value:
                _collect(value, texts)
    if not is_suspect("\n\n".join(texts)):
        return rows
    return [{**row, **{field.name: field.masked(row[field.name]) for field in gated}} for row in rows]


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


def _preparation(connection: BaseDatabaseWrapper, field: "models.Field[Any, Any]") -> Callable[[Any], Any] | None:
    """Return the function that prepares a value of the column for the driver; None if it needs none."""
    is_sqlite = connection.vendor == "sqlite"
    if isinstance(field, _PLAIN) or (not is_sqlite and isinstance(field, _PLAIN_FOR_POSTGRESQL)):
        return None
    if is_sqlite and isinstance(field, models.UUIDField):
        return attrgetter("hex")
    if is_sqlite and isinstance(field, models.DateTimeField):
        return _naive
    by_field = partial(field.get_db_prep_save, connection=connection)
    return partial(_json, by_field) if is_sqlite and isinstance(field, models.JSONField) else by_field


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
