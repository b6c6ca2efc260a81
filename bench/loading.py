"""Puts many rows into tables quickly: as text, without secondary indexes and triggers meanwhile."""

import csv
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID

_NOTHING = "\\N"
# For this connection only. A database lost in a crash is generated again.
_QUICK = {
    "sqlite": (
        "PRAGMA journal_mode=OFF",
        "PRAGMA synchronous=OFF",
        "PRAGMA locking_mode=EXCLUSIVE",
        "PRAGMA temp_store=MEMORY",
        "PRAGMA cache_size=-2000000",
        "PRAGMA threads=2",
    ),
    "postgresql": ("SET synchronous_commit = off", "SET maintenance_work_mem = '1GB'"),
}


def be_quick(connection: Any) -> None:
    """Let this connection trade safety and memory for speed."""
    with connection.cursor() as cursor:
        for statement in _QUICK[connection.vendor]:
            cursor.execute(statement)


@contextmanager
def bare(connection: Any, tables: tuple[str, ...]) -> Iterator[None]:
    """`tables` without their secondary indexes and triggers until the end of the block."""
    names = ", ".join(f"'{name}'" for name in tables)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                f"SELECT type, name, sql FROM sqlite_master WHERE tbl_name IN ({names}) AND sql IS NOT NULL"
                " AND type IN ('index', 'trigger')"
            )
        else:
            cursor.execute(
                "SELECT 'index', indexname, replace(indexdef, ' ON ONLY ', ' ON ') FROM pg_indexes"
                f" WHERE tablename IN ({names}) AND indexname NOT IN (SELECT conname FROM pg_constraint)"
            )
        found = cursor.fetchall()
        for kind, name, _ in found:
            cursor.execute(f"DROP {kind} {name}")
    yield
    with connection.cursor() as cursor:
        for _, name, sql in sorted(found):
            started = time.perf_counter()
            cursor.execute(sql)
            print(f"  {name}: {time.perf_counter() - started:.0f} s", flush=True)


class Loader:
    """Puts rows into one table, by COPY or by one prepared statement."""

    def __init__(self, connection: Any, model: Any) -> None:
        self._connection = connection
        fields = [field for field in model._meta.concrete_fields if field.get_internal_type() != "BigAutoField"]
        self._values = itemgetter(*(field.attname for field in fields))
        self._texts = [
            (place, text) for place, field in enumerate(fields) if (text := _text(connection.vendor, field)) is not None
        ]
        columns = ", ".join(f'"{field.column}"' for field in fields)
        table = model._meta.db_table
        if connection.vendor == "sqlite":
            marks = ", ".join(["%s"] * len(fields))
            self._statement = f"INSERT INTO {table} ({columns}) VALUES ({marks})"
        else:
            self._statement = f"COPY {table} ({columns}) FROM STDIN WITH (FORMAT csv, NULL '{_NOTHING}')"

    def load(self, rows: list[dict[str, Any]]) -> None:
        """Insert `rows`, each with every column."""
        values = [list(self._values(row)) for row in rows]
        for row in values:
            for place, text in self._texts:
                row[place] = text(row[place])
        with self._connection.cursor() as cursor:
            if self._connection.vendor == "sqlite":
                cursor.executemany(self._statement, values)
                return
            lines = io.StringIO()
            csv.writer(lines).writerows(values)
            with cursor.copy(self._statement) as copy:
                copy.write(lines.getvalue())


def _text(vendor: str, field: Any) -> Callable[[Any], Any] | None:
    """How a value of `field` is written, where that is not as it is."""
    sort = field.get_internal_type()
    if vendor == "sqlite":
        if sort == "DateTimeField":
            return lambda at: at.replace(tzinfo=None).isoformat(" ", "microseconds")
        if sort == "UUIDField":
            return lambda key: key.hex
        return _json if sort == "JSONField" else None
    if sort == "JSONField":
        return lambda value: _NOTHING if value is None else _json(value)
    if sort == "BinaryField":
        return lambda value: _NOTHING if value is None else f"\\x{value.hex()}"
    if field.null:
        return lambda value: _NOTHING if value is None else value
    return None


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


_COPIED_ID = {
    "sqlite": "substr(call_id, 1, 15) || '{copy:x}' || substr(call_id, 17)",
    "postgresql": "overlay(replace(call_id::text, '-', '') placing '{copy:x}' from 16 for 1)::uuid",
}
_COPIED_AT = {
    "sqlite": "datetime(at, '-{days} days') || substr(at, 20)",
    "postgresql": "at - interval '{days} days'",
}


def copied(call: dict[str, Any], copy: int, days: int) -> dict[str, Any]:
    """The same call in the `copy`th repetition, as `repeat` makes it."""
    call_id = UUID(int=call["call_id"].int | copy << 64)
    return call | {"call_id": call_id, "at": call["at"] - timedelta(days=copy * days)}


def repeat(connection: Any, model: Any, copies: int, days: int) -> None:
    """Let the database repeat what is in `model`'s table `copies` - 1 times, each `days` further back."""
    columns = [field.column for field in model._meta.concrete_fields if field.column != "id"]
    table, last = model._meta.db_table, model.objects.order_by("-pk").values_list("pk", flat=True).first()
    with connection.cursor() as cursor:
        for copy in range(1, copies):
            made = {
                "call_id": _COPIED_ID[connection.vendor].format(copy=copy),
                "at": _COPIED_AT[connection.vendor].format(days=copy * days),
            }
            values = ", ".join(made.get(column, f'"{column}"') for column in columns)
            names = ", ".join(f'"{column}"' for column in columns)
            cursor.execute(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE id <= {last}", [])
