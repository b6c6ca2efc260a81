"""Monthly partitions of the activity log on PostgreSQL: created in advance, dropped when they are old.

    mcpbridge_toolcall_earlier     everything before the first month
    mcpbridge_toolcall_2026_11     one month each, in UTC
    mcpbridge_toolcall_later       everything after the last month, if its partition was not created in time

A DEFAULT partition could contain any instant, so a list in time order would have to read every partition before it
could show its first row. With open ends no DEFAULT partition is needed, and no row is refused.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connections
from django.db.models import QuerySet

from mcpbridge.db.locks import try_acquire_lock
from mcpbridge.db.timeouts import bounded_transaction
from mcpbridge.models import ToolCall

# Creating or dropping a partition blocks all readers and writers of the activity log, so wait briefly and retry.
LIMIT_S = 2.0
MONTHS_AHEAD = 2
_CALLS = ToolCall._meta.db_table
_EARLIER, _LATER = f"{_CALLS}_earlier", f"{_CALLS}_later"
_MONTH = re.compile(rf"{_CALLS}_(\d{{4}})_(\d\d)")
# Name of the lock for creating and dropping partitions.
MONTHS_LOCK = "activity months"
_PARTS = (
    "SELECT part.relname,"  # noqa: S608 - our own table
    " substring(pg_get_expr(part.relpartbound, part.oid) FROM '''([^'']+)''')::timestamptz"
    f" FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid WHERE inhparent = '{_CALLS}'::regclass"
)


@dataclass(frozen=True, slots=True)
class Months:
    """The existing partitions: months by first instant, the start of the first and the end of the last."""

    begins: frozenset[datetime]
    first: datetime
    end: datetime


def month_of(instant: datetime, ahead: int = 0) -> datetime:
    """Return the first instant of the month that is `ahead` months after that of `instant`."""
    at = instant.astimezone(UTC)
    months = at.year * 12 + at.month - 1 + ahead
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def has_months(alias: str) -> bool:
    """Return whether the activity log is partitioned by month: on PostgreSQL."""
    return connections[alias].vendor == "postgresql"


def lies_in_months(rows: QuerySet[Any]) -> bool:
    """Return whether `rows` are calls of a partitioned activity log."""
    return rows.model is ToolCall and has_months(rows.db)


def months_of(alias: str) -> Months:
    """Return the existing partitions."""
    with connections[alias].cursor() as cursor:
        cursor.execute(_PARTS)
        bounds: dict[str, datetime] = dict(cursor.fetchall())
    begins = frozenset(begin for name, begin in bounds.items() if _MONTH.fullmatch(name))
    return Months(begins, bounds[_EARLIER], bounds[_LATER])


def make_months(alias: str, *, now: datetime) -> int:
    """Create the partitions of this month and the next two; return how many. Do nothing on SQLite."""
    if not has_months(alias) or months_of(alias).end > month_of(now, MONTHS_AHEAD):
        return 0
    with bounded_transaction(alias, limit_s=LIMIT_S):
        if not try_acquire_lock(alias, MONTHS_LOCK):
            return 0
        begin, made = months_of(alias).end, 0
        with connections[alias].cursor() as cursor:
            cursor.execute(f"ALTER TABLE {_CALLS} DETACH PARTITION {_LATER}")
            while begin <= month_of(now, MONTHS_AHEAD):
                make_month(cursor, begin)
                begin, made = month_of(begin, 1), made + 1
            # Rows that were written before the partition of their month was created.
            cursor.execute(
                f"WITH early AS (DELETE FROM {_LATER} WHERE at < %s RETURNING *)"  # noqa: S608 - our own table
                f" INSERT INTO {_CALLS} SELECT * FROM early",
                [begin],
            )
            cursor.execute(
                f"ALTER TABLE {_CALLS} ATTACH PARTITION {_LATER} FOR VALUES FROM (%s) TO (MAXVALUE)", [begin]
            )
    return made


def make_month(cursor: Any, begin: datetime) -> None:
    """Create the partition of the month that begins at `begin`; no partition may contain it yet."""
    cursor.execute(
        f"CREATE TABLE {_CALLS}_{begin:%Y_%m} PARTITION OF {_CALLS} FOR VALUES FROM (%s) TO (%s)",
        [begin, month_of(begin, 1)],
    )


def drop_months(alias: str, *, before: datetime) -> int:
    """Drop partitions entirely before `before`, within the caller's transaction; return how many."""
    edge, months = month_of(before), months_of(alias)
    if months.first > edge:
        return 0
    edge, old = min(edge, months.end), sorted(begin for begin in months.begins if begin < edge)
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {_EARLIER})")  # noqa: S608 - our own table
        has_earlier = bool(cursor.fetchone()[0])
        if not old and not has_earlier:
            return 0
        for begin in old:
            cursor.execute(f"DROP TABLE {_CALLS}_{begin:%Y_%m}")
        cursor.execute(f"ALTER TABLE {_CALLS} DETACH PARTITION {_EARLIER}")
        cursor.execute(f"TRUNCATE {_EARLIER}")
        cursor.execute(f"ALTER TABLE {_CALLS} ATTACH PARTITION {_EARLIER} FOR VALUES FROM (MINVALUE) TO (%s)", [edge])
    return len(old) + has_earlier
