"""Queries of the overview, each narrowed to what the viewer may see."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Case, Count, IntegerField, Max, Min, Sum, Value, When
from django.utils import timezone

from hoursmith_console.audit.calls import DestructiveCall, not_refused, unresolved, with_outcomes
from hoursmith_console.tokens.numbers import activity_kept_from
from hoursmith_console.tokens.querysets import (
    visible_clients,
    visible_losses,
    visible_rejections,
    visible_rows,
    visible_tokens,
)
from hoursmith_console.tokens.usage import Span, calls_by_day, calls_by_hour, visible_hours
from hoursmith_console.workspaces.models import Role
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.calls.errors import UNANSWERED
from mcpbridge.models import AuditEvent, AuditPhase, Result, ToolCall

DAYS = 7
UNRESOLVED_DAYS = 30
FRESHNESS = ("24 hours", "7 days", "30 days", "longer ago")


def calls_over_time(viewer: Viewer, days: int) -> list[Span]:
    """Count the calls of the last `days` days by day; of one day, by hour."""
    rows, kept_from = visible_hours(viewer), activity_kept_from(viewer)
    return calls_by_hour(rows, kept_from=kept_from) if days == 1 else calls_by_day(rows, days, kept_from=kept_from)


def tokens_by_freshness(viewer: Viewer) -> list[tuple[str, list[int]]]:
    """Count the tokens of each role by their last use, in the spans of `FRESHNESS`."""
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
        visible_tokens(viewer)
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


def assistants_in_use(viewer: Viewer, days: int = 30, limit: int = 6) -> list[Mapping[str, Any]]:
    """Return the assistants that called in the last `days` days, by their self-reported names."""
    return list(
        visible_clients(viewer)
        .filter(last_seen_at__gte=timezone.now() - timedelta(days=days))
        .order_by()
        .values("name")
        .annotate(last_seen_at=Max("last_seen_at"), calls=Sum("calls"), tokens=Count("token", distinct=True))
        .order_by("-last_seen_at", "name")[:limit]
    )


def latest_calls(viewer: Viewer, limit: int = 8) -> list[ToolCall]:
    """Return the latest calls of any kind."""
    return list(visible_rows(viewer, ToolCall.objects.defer("arguments")).order_by("-at", "-pk")[:limit])


def outage(viewer: Viewer) -> Mapping[str, Any] | None:
    """Return the unanswered calls since the last success: `since`, `until` (instants) and `calls`; None without any."""
    rows = visible_rows(viewer, ToolCall.objects.order_by()).filter(at__gte=timezone.now() - timedelta(days=DAYS))
    # The exclusion matches the partial index.
    unanswered = rows.exclude(result=Result.SUCCEEDED).filter(result=Result.FAILED, code__in=UNANSWERED)
    if not (until := unanswered.aggregate(until=Max("at"))["until"]):
        return None
    succeeded = rows.filter(result=Result.SUCCEEDED)
    if succeeded.filter(at__gt=until).exists():
        return None
    if before := succeeded.aggregate(at=Max("at"))["at"]:
        unanswered = unanswered.filter(at__gt=before)
    return unanswered.aggregate(since=Min("at"), until=Max("at"), calls=Count("pk"))


def latest_destructive(viewer: Viewer, limit: int = 6) -> list[AuditEvent]:
    """Return the intents of the latest destructive calls that Hoursmith did not refuse."""
    intents = not_refused(visible_rows(viewer, AuditEvent.objects.filter(phase=AuditPhase.INTENT)))
    return list(intents.defer("arguments", "snapshot").order_by("-recorded_at", "-pk")[:limit])


def unresolved_calls(viewer: Viewer, limit: int) -> list[DestructiveCall]:
    """Return destructive calls that may have been carried out and are not resolved, the latest first."""
    since = timezone.now() - timedelta(days=UNRESOLVED_DAYS)
    intents = unresolved(visible_rows(viewer, AuditEvent.objects.all()), since)
    return with_outcomes(intents.order_by("-recorded_at", "-pk")[:limit])


def lost_activity(viewer: Viewer) -> dict[str, Any]:
    """Count the calls of the last days missing from the activity log: `calls`, and `until`, the latest instant."""
    since = timezone.now() - timedelta(days=DAYS)
    return visible_losses(viewer).filter(until__gte=since).aggregate(calls=Sum("calls"), until=Max("until"))


def refused_tokens(viewer: Viewer, limit: int) -> list[Mapping[str, Any]]:
    """Return the tokens with recently rejected requests, with their `attempts` and `last_at`."""
    since = timezone.now() - timedelta(days=DAYS)
    return list(
        visible_rejections(viewer)
        .filter(last_at__gte=since)
        .order_by()
        .values("env", "prefix")
        .annotate(attempts=Sum("attempts"), last_at=Max("last_at"))
        .order_by("-last_at", "prefix")[:limit]
    )
