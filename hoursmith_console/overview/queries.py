"""What the overview counts. Each function is one query over what the viewer may see."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Case, Count, IntegerField, Max, Sum, Value, When
from django.utils import timezone

from hoursmith_console.audit.calls import DestructiveCall, not_refused, unsettled, with_outcomes
from hoursmith_console.workspaces.models import Role
from hoursmith_console.workspaces.visibility import Viewer
from mcpbridge.models import AuditEvent, Kind, Phase, Result, ToolCall

DAYS = 7
UNSETTLED_DAYS = 30
FRESHNESS = ("24 hours", "7 days", "30 days", "longer ago")
SERIES = ("read", "write", "destructive", "refused")


@dataclass(slots=True)
class Day:
    """The calls of one day (UTC). A refused or failed call counts as such alone, whatever its kind."""

    day: date
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SERIES, 0))

    @property
    def total(self) -> int:
        """Calls of every kind."""
        return sum(self.counts.values())


def calls_by_day(viewer: Viewer, days: int = DAYS) -> list[Day]:
    """The calls of the last `days` days, today included, oldest day first."""
    today = timezone.now().date()
    found = [Day(today - timedelta(days=days - 1 - index)) for index in range(days)]
    starts = [datetime.combine(day.day, time(), UTC) for day in found]
    # Comparing instants lets the database group without cutting dates, which SQLite does in Python row by row.
    place = Case(
        *[When(at__gte=start, then=Value(index)) for index, start in reversed(list(enumerate(starts)))],
        output_field=IntegerField(),
    )
    rows = (
        viewer.rows(ToolCall.objects.filter(at__gte=starts[0]))
        .order_by()
        .annotate(place=place)
        .values_list("place", "kind", "result")
        .annotate(calls=Count("pk"))
    )
    for index, kind, result, calls in rows:
        found[index].counts[_series(kind, result)] += calls
    return found


def _series(kind: str, result: str) -> str:
    return "refused" if result in (Result.REFUSED, Result.FAILED) else str(Kind(kind).value)


def tokens_by_freshness(viewer: Viewer) -> list[tuple[str, list[int]]]:
    """For each role in use, how many tokens were last used within each span of `FRESHNESS`."""
    now = timezone.now()
    freshness = Case(
        *[
            When(last_used_at__gte=now - timedelta(days=days), then=Value(place))
            for place, days in enumerate((1, 7, 30))
        ],
        default=Value(3),
        output_field=IntegerField(),
    )
    rows = (
        viewer.tokens()
        .order_by()
        .annotate(freshness=freshness)
        .values_list("role", "freshness")
        .annotate(n=Count("pk"))
    )
    table: dict[str, list[int]] = {}
    for role, place, count in rows:
        table.setdefault(role, [0] * len(FRESHNESS))[place] = count
    order = [str(role) for role in Role.values]
    return sorted(table.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))


def assistants_in_use(viewer: Viewer, limit: int = 6) -> list[Mapping[str, Any]]:
    """The assistants that called lately, by the name they give themselves."""
    return list(
        viewer.clients()
        .order_by()
        .values("name")
        .annotate(last_seen_at=Max("last_seen_at"), calls=Sum("calls"), tokens=Count("token", distinct=True))
        .order_by("-last_seen_at", "name")[:limit]
    )


def latest_calls(viewer: Viewer, limit: int = 8) -> list[ToolCall]:
    """The last calls of any kind."""
    return list(viewer.rows(ToolCall.objects.all()).order_by("-at", "-pk")[:limit])


def latest_destructive(viewer: Viewer, limit: int = 6) -> list[AuditEvent]:
    """The last destructive calls that Hoursmith did not refuse, as their intents."""
    intents = not_refused(viewer.rows(AuditEvent.objects.filter(phase=Phase.INTENT)))
    return list(intents.order_by("-recorded_at", "-pk")[:limit])


def unsettled_calls(viewer: Viewer, limit: int) -> list[DestructiveCall]:
    """Destructive calls about which only a look into Hoursmith can say what happened, the latest first."""
    since = timezone.now() - timedelta(days=UNSETTLED_DAYS)
    intents = unsettled(viewer.rows(AuditEvent.objects.filter(phase=Phase.INTENT)), since)
    return with_outcomes(intents.order_by("-recorded_at", "-pk")[:limit])


def lost_activity(viewer: Viewer) -> dict[str, Any]:
    """How many calls of the last days left no activity row, and until when: `calls`, `until`."""
    since = timezone.now() - timedelta(days=DAYS)
    return viewer.losses().filter(until__gte=since).aggregate(calls=Sum("calls"), until=Max("until"))


def refused_tokens(viewer: Viewer, limit: int) -> list[Mapping[str, Any]]:
    """Tokens of the workspace that were turned away at the door lately, with the attempts of each."""
    since = timezone.now() - timedelta(days=DAYS)
    return list(
        viewer.refused_credentials()
        .filter(last_at__gte=since)
        .order_by()
        .values("env", "prefix")
        .annotate(attempts=Sum("attempts"), last_at=Max("last_at"))
        .order_by("-last_at", "prefix")[:limit]
    )
