"""The months in which the activity lies on PostgreSQL: made ahead of time, and dropped whole when they are old.

    mcpbridge_toolcall_earlier     from ever to the first month
    mcpbridge_toolcall_2026_11     one month each, in UTC
    mcpbridge_toolcall_later       from the last month on: what nobody made a month for in time

A part that took every other row (DEFAULT) could hold any instant; a list in the order of time would then have to look
into every month before it could show its first row. With the ends open there is none, and no row is refused either.
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

# Who makes or drops a month holds up everybody who reads or writes the activity, and asks again rather than long.
LIMIT_S = 2.0
MONTHS_AHEAD = 2
_CALLS = ToolCall._meta.db_table
_EARLIER, _LATER = f"{_CALLS}_earlier", f"{_CALLS}_later"
_MONTH = re.compile(rf"{_CALLS}_(\d{{4}})_(\d\d)")
# Whoever makes or drops months holds this name.
MONTHS_LOCK = "activity months"
_PARTS = (
    "SELECT part.relname,"  # noqa: S608 - our own table
    " substring(pg_get_expr(part.relpartbound, part.oid) FROM '''([^'']+)''')::timestamptz"
    f" FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid WHERE inhparent = '{_CALLS}'::regclass"
)


@dataclass(frozen=True, slots=True)
class Months:
    """The parts that there are: months by their first instant, where the first of them begins and the last ends."""

    begins: frozenset[datetime]
    first: datetime
    end: datetime


def month_of(instant: datetime, ahead: int = 0) -> datetime:
    """The first instant of the month that lies `ahead` months after that of `instant`."""
    at = instant.astimezone(UTC)
    months = at.year * 12 + at.month - 1 + ahead
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def has_months(alias: str) -> bool:
    """Whether the activity lies in months: on PostgreSQL."""
    return connections[alias].vendor == "postgresql"


def lies_in_months(rows: QuerySet[Any]) -> bool:
    """Whether `rows` are calls of an activity that lies in months."""
    return rows.model is ToolCall and has_months(rows.db)


def months_of(alias: str) -> Months:
    """The months that there are."""
    with connections[alias].cursor() as cursor:
        cursor.execute(_PARTS)
        bounds: dict[str, datetime] = dict(cursor.fetchall())
    begins = frozenset(begin for name, begin in bounds.items() if _MONTH.fullmatch(name))
    return Months(begins, bounds[_EARLIER], bounds[_LATER])


def make_months(alias: str, *, now: datetime) -> int:
    """See to it that this month and those ahead are there; how many were made. Does nothing on SQLite."""
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
            # Rows that came before their month did.
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
    """Make the month that begins at `begin`; no part may hold it yet."""
    cursor.execute(
        f"CREATE TABLE {_CALLS}_{begin:%Y_%m} PARTITION OF {_CALLS} FOR VALUES FROM (%s) TO (%s)",
        [begin, month_of(begin, 1)],
    )


def drop_months(alias: str, *, before: datetime) -> int:
    """Drop what lies wholly before `before`; how many parts that were. Belongs into a transaction of the caller's."""
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
