"""Rate limits (contract section 8), counted in the database so that all worker processes share them.

Windows are fixed: each starts at a multiple of its length. Refused requests are not counted.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connections, router

from hoursmith_console.sandbox.api.errors import RateLimitedError
from hoursmith_console.sandbox.models import Plan, RateCounter

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` requests in `seconds`."""

    limit: int
    seconds: int

    def start(self, now: float) -> int:
        return int(now) // self.seconds * self.seconds


# Each subject has a short and a long window; an address has the one minute for both.
PLANS: dict[str, tuple[Window, Window]] = {
    Plan.STUDIO: (Window(30, 10), Window(600, 60)),
    Plan.AGENCY: (Window(60, 10), Window(1200, 60)),
}
BAD_TOKENS = (Window(10, 60), Window(10, 60))


@dataclass(frozen=True, slots=True)
class Allowance:
    """Remaining requests of the tighter window; `reset` in Unix seconds."""

    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


class OverLimitError(RateLimitedError):
    """A window is full; `allowance` fills the response headers."""

    def __init__(self, allowance: Allowance, retry_after: int) -> None:
        super().__init__(retry_after)
        self.allowance = allowance


def nothing_left(now: float) -> Allowance:
    """Return the allowance of a plan without API access."""
    return Allowance(0, 0, int(now))


def untouched(windows: tuple[Window, Window], now: float) -> Allowance:
    """Return the allowance when limits are off."""
    short = windows[0]
    return Allowance(short.limit, short.limit, short.start(now) + short.seconds)


def spend(subject: str, windows: tuple[Window, Window], now: float) -> Allowance:
    """Count one request of `subject`. Raises OverLimitError if a window is full."""
    short, long = windows
    starts = (short.start(now), long.start(now))
    with connections[router.db_for_write(RateCounter)].cursor() as cursor:
        cursor.execute(_COUNT, [subject, *starts, short.limit, long.limit])
        row = cursor.fetchone()
        if row is not None:
            if row[3] == 1:
                _forget(cursor, now)
            return _tighter(windows, row, now)
        cursor.execute(_READ, [subject])
        row = cursor.fetchone()
    full = [window for window, start, count in _open(windows, row, now) if count >= window.limit]
    retry_after = max((window.start(now) + window.seconds - int(now) for window in full), default=1)
    raise OverLimitError(_tighter(windows, row, now), retry_after)


def _open(windows: tuple[Window, Window], row: Any, now: float) -> list[tuple[Window, int, int]]:
    """Return both windows with start and count; counts of earlier windows are zero."""
    return [
        (window, max(start, window.start(now)), count if start >= window.start(now) else 0)
        for window, start, count in ((windows[0], row[0], row[1]), (windows[1], row[2], row[3]))
    ]


def _tighter(windows: tuple[Window, Window], row: Any, now: float) -> Allowance:
    left = [
        Allowance(window.limit, max(0, window.limit - count), start + window.seconds)
        for window, start, count in _open(windows, row, now)
    ]
    return min(left, key=lambda allowance: (allowance.remaining, -allowance.reset))


def _forget(cursor: Any, now: float) -> None:
    """Drop the counters of subjects long unseen; called once a minute at most for each subject."""
    cursor.execute(f"DELETE FROM {_TABLE} WHERE long_start < %s", [int(now) - DAY_S])  # noqa: S608 – a constant name


_TABLE = RateCounter._meta.db_table
# One statement, so that two workers can never both take the last place. A clock that runs behind in another
# process counts into the newer window. Where a window is full the row stays as it is and nothing comes back.
_SHORT = f"CASE WHEN excluded.short_start > {_TABLE}.short_start THEN 0 ELSE {_TABLE}.short_count END"
_LONG = f"CASE WHEN excluded.long_start > {_TABLE}.long_start THEN 0 ELSE {_TABLE}.long_count END"
_COUNT = f"""
    INSERT INTO {_TABLE} (subject, short_start, short_count, long_start, long_count)
    VALUES (%s, %s, 1, %s, 1)
    ON CONFLICT (subject) DO UPDATE SET
        short_count = {_SHORT} + 1,
        short_start = CASE WHEN excluded.short_start > {_TABLE}.short_start
                           THEN excluded.short_start ELSE {_TABLE}.short_start END,
        long_count = {_LONG} + 1,
        long_start = CASE WHEN excluded.long_start > {_TABLE}.long_start
                          THEN excluded.long_start ELSE {_TABLE}.long_start END
    WHERE {_SHORT} < %s AND {_LONG} < %s
    RETURNING short_start, short_count, long_start, long_count
"""  # noqa: S608 – constant names
_READ = f"SELECT short_start, short_count, long_start, long_count FROM {_TABLE} WHERE subject = %s"  # noqa: S608
