"""Read usage counters for charts, without counting rows."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from hoursmith_console.tokens.labels import ref_of
from hoursmith_console.tokens.numbers import CALLS, SERIES
from hoursmith_console.tokens.querysets import visible_rows
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.activity.usage import hour_of
from mcpbridge.models import CallHour, TokenIdentity, TokenRef

DAYS = 30
_HOURS_A_DAY = 24
_INSTANT = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Span:
    """Calls of one hour or day (UTC), by the series of `SERIES`."""

    start: datetime
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SERIES, 0))
    length: timedelta = timedelta(days=1)

    @property
    def total(self) -> int:
        """All calls."""
        return sum(self.counts.values())


def calls_by_hour(rows: QuerySet[CallHour], hours: int = 24, *, kept_from: datetime | None = None) -> list[Span]:
    """Return the calls of the last `hours` hours, this one included, oldest first.

    `kept_from`: hours before it are left out, because their calls cannot be listed any more.
    """
    return _spans(rows, hours=1, count=hours, kept_from=kept_from)


def calls_by_day(rows: QuerySet[CallHour], days: int = 7, *, kept_from: datetime | None = None) -> list[Span]:
    """Return the calls of the last `days` days, today included, oldest first; `kept_from` as for `calls_by_hour`."""
    return _spans(rows, hours=_HOURS_A_DAY, count=days, kept_from=kept_from)


def visible_hours(viewer: Viewer) -> QuerySet[CallHour]:
    """Return the counters the viewer may see: of the workspace, or of their own tokens."""
    rows = visible_rows(viewer, CallHour.objects.order_by())
    return rows.filter(prefix="", env="") if viewer.member.sees_workspace else rows


def hours_of(token: TokenIdentity, org_id: str) -> QuerySet[CallHour]:
    """Return the counters of one token."""
    return CallHour.objects.order_by().filter(org_id=org_id, prefix=token.prefix, env=token.env)


def _spans(rows: QuerySet[CallHour], *, hours: int, count: int, kept_from: datetime | None) -> list[Span]:
    last = hour_of(timezone.now()) // hours
    first = last - count + 1
    if kept_from is not None:
        # Rounded up: the calls of the span at the edge are incomplete.
        first = max(first, min(last, -(-(hour_of(kept_from - _INSTANT) + 1) // hours)))
    length = timedelta(hours=hours)
    spans = [Span(_EPOCH + place * length, length=length) for place in range(first, last + 1)]
    for place, *counts in _sums(rows.filter(hour__gte=first * hours), hours).values_list("place", *SERIES):
        if first <= place <= last:
            spans[place - first].counts = dict(zip(SERIES, counts, strict=True))
    return spans


def _sums(rows: QuerySet[CallHour], hours: int, *by: str) -> QuerySet[CallHour, dict[str, Any]]:
    sums = {series: number.total for series, number in SERIES.items()}
    # Integer division truncates on both databases.
    summed: QuerySet[CallHour, dict[str, Any]] = (
        rows.annotate(place=F("hour") / hours).values(*by, "place").annotate(**sums)
    )
    return summed


@dataclass(frozen=True, slots=True)
class Month:
    """Last thirty days of one token, oldest first: all calls, and destructive ones that succeeded, by day."""

    calls: tuple[int, ...]
    destructive: tuple[int, ...]

    @property
    def total(self) -> int:
        """All calls."""
        return sum(self.calls)

    @property
    def total_destructive(self) -> int:
        """Destructive calls that succeeded."""
        return sum(self.destructive)

    def paths(self, most: int) -> list[tuple[str, str]]:
        """Return SVG paths in a 90 × 16 box, one bar a day: all calls, then destructive ones in front."""
        made = [("read", _path(self.calls, most)), ("destructive", _path(self.destructive, most))]
        return [(kind, path) for kind, path in made if path]


def _path(counts: Sequence[int], most: int) -> str:
    # Bars are at least 2 high, so that one deletion among thousands of reads is visible.
    return "".join(
        f"M{3 * day} 16v-{max(2, round(16 * count / most))}h2V16z" for day, count in enumerate(counts) if count
    )


def months_of(org_id: str, tokens: Iterable[TokenIdentity]) -> Mapping[TokenRef, Month]:
    """Return the last thirty days of each of `tokens`, in one query."""
    refs = [ref_of(token) for token in tokens]
    today = hour_of(timezone.now()) // _HOURS_A_DAY
    rows = CallHour.objects.order_by().filter(
        Q(org_id=org_id, prefix__in=[prefix for _, prefix in refs], hour__gte=(today - DAYS + 1) * _HOURS_A_DAY)
    )
    calls: defaultdict[TokenRef, list[int]] = defaultdict(lambda: [0] * DAYS)
    destructive: defaultdict[TokenRef, list[int]] = defaultdict(lambda: [0] * DAYS)
    for env, prefix, place, made, destroyed in (
        _sums(rows, _HOURS_A_DAY, "env", "prefix")
        .annotate(made=CALLS.total)
        .values_list("env", "prefix", "place", "made", "destructive")
    ):
        day = place - today + DAYS - 1
        if 0 <= day < DAYS:
            calls[TokenRef(env, prefix)][day] = made
            destructive[TokenRef(env, prefix)][day] = destroyed
    return {ref: Month(tuple(calls[ref]), tuple(destructive[ref])) for ref in refs}
