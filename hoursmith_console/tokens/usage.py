"""Read usage counters for charts, without counting rows."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet, Sum
from django.utils import timezone

from hoursmith_console.tokens.labels import ref_of
from hoursmith_console.tokens.querysets import visible_rows
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.activity.usage import hour_of
from mcpbridge.models import CallHour, TokenIdentity, TokenRef

SERIES = ("read", "write", "destructive", "refused")
DAYS = 30
_HOURS_A_DAY = 24
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Span:
    """Calls of one hour or day (UTC). Rejected and failed calls count as `refused` only, whatever their kind."""

    start: datetime
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SERIES, 0))

    @property
    def total(self) -> int:
        """All calls."""
        return sum(self.counts.values())


def calls_by_hour(rows: QuerySet[CallHour], hours: int = 24) -> list[Span]:
    """Return the calls of the last `hours` hours, this one included, oldest first."""
    return _spans(rows, hours=1, count=hours)


def calls_by_day(rows: QuerySet[CallHour], days: int = 7) -> list[Span]:
    """Return the calls of the last `days` days, today included, oldest first."""
    return _spans(rows, hours=_HOURS_A_DAY, count=days)


def visible_hours(viewer: Viewer) -> QuerySet[CallHour]:
    """Return the counters the viewer may see: of the workspace, or of their own tokens."""
    rows = visible_rows(viewer, CallHour.objects.order_by())
    return rows.filter(prefix="", env="") if viewer.member.sees_workspace else rows


def hours_of(token: TokenIdentity, org_id: str) -> QuerySet[CallHour]:
    """Return the counters of one token."""
    return CallHour.objects.order_by().filter(org_id=org_id, prefix=token.prefix, env=token.env)


def _spans(rows: QuerySet[CallHour], *, hours: int, count: int) -> list[Span]:
    last = hour_of(timezone.now()) // hours
    first = last - count + 1
    spans = [Span(_EPOCH + timedelta(hours=(first + index) * hours)) for index in range(count)]
    for place, *counts in _sums(rows.filter(hour__gte=first * hours), hours).values_list("place", *SERIES):
        if first <= place <= last:
            spans[place - first].counts = dict(zip(SERIES, counts, strict=True))
    return spans


def _sums(rows: QuerySet[CallHour], hours: int, *by: str) -> QuerySet[CallHour, dict[str, Any]]:
    sums = {series: Sum(f"calls_{series}") for series in SERIES}
    # Integer division truncates on both databases.
    summed: QuerySet[CallHour, dict[str, Any]] = (
        rows.annotate(place=F("hour") / hours).values(*by, "place").annotate(**sums)
    )
    return summed


@dataclass(frozen=True, slots=True)
class Month:
    """Last thirty days of one token, oldest first: calls (rejected ones included) and destructive calls by day."""

    calls: tuple[int, ...]
    destructive: tuple[int, ...]

    @property
    def total(self) -> int:
        """All calls, rejected ones included."""
        return sum(self.calls)

    @property
    def total_destructive(self) -> int:
        """Destructive calls."""
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
    for env, prefix, place, *counts in _sums(rows, _HOURS_A_DAY, "env", "prefix").values_list(
        "env", "prefix", "place", *SERIES
    ):
        day = place - today + DAYS - 1
        if 0 <= day < DAYS:
            calls[TokenRef(env, prefix)][day] = sum(counts)
            destructive[TokenRef(env, prefix)][day] = counts[SERIES.index("destructive")]
    return {ref: Month(tuple(calls[ref]), tuple(destructive[ref])) for ref in refs}
