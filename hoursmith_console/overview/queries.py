"""Queries of the overview, each narrowed to what the viewer may see."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Case, Count, F, Max, Min, Q, Sum, Value, When
from django.urls import reverse
from django.utils import timezone

from hoursmith_console.audit.calls import DestructiveCall, unresolved, with_outcomes
from hoursmith_console.audit.numbers import LATELY, deletions
from hoursmith_console.audit.rows import AuditRow, audit_rows
from hoursmith_console.core.lists.counting import MOST_COUNTED, BoundedCount, bounded_count
from hoursmith_console.tokens.numbers import activity_kept_from
from hoursmith_console.tokens.querysets import (
    rows_of_tokens,
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
from mcpbridge.models import AuditEvent, CallKind, Result, ToolCall

DAYS = 7
UNRESOLVED_DAYS = 30
# Value of the token list's filter by last use, title, and days.
FRESHNESS = (("day", "24 hours", 1), ("week", "7 days", 7), ("month", "30 days", 30), ("", "All", 0))


def calls_over_time(viewer: Viewer, days: int) -> list[Span]:
    """Count the calls of the last `days` days by day; of one day, by hour."""
    rows, kept_from = visible_hours(viewer), activity_kept_from(viewer)
    return calls_by_hour(rows, kept_from=kept_from) if days == 1 else calls_by_day(rows, days, kept_from=kept_from)


@dataclass(frozen=True, slots=True)
class Deletions:
    """Deletions of the last 24 hours: their number, the tokens that made them, all attempts, and the latest ones.

    Without any, `rows` are the latest of the last 30 days. `tokens` is None if not all deletions were counted.
    """

    count: BoundedCount
    tokens: int | None
    attempted: BoundedCount
    rows: list[AuditRow]


def recent_deletions(viewer: Viewer, limit: int = 5) -> Deletions:
    """Return what was deleted in the last 24 hours."""
    now = timezone.now()
    found = deletions(viewer, now - LATELY)
    refs = list(found.order_by().values_list("env", "prefix")[: MOST_COUNTED + 1])
    count, tokens = BoundedCount(len(refs)), None
    if not count.is_cut:
        tokens = visible_tokens(viewer).filter(rows_of_tokens(set(refs))).count() if refs else 0
    attempts = visible_rows(viewer, ToolCall.objects.exclude(kind=CallKind.READ).filter(kind=CallKind.DESTRUCTIVE))
    if not refs:
        found, limit = deletions(viewer, now - timedelta(days=UNRESOLVED_DAYS)), 3
    latest = found.defer("arguments", "snapshot").order_by("-recorded_at", "-pk")[:limit]
    return Deletions(count, tokens, bounded_count(attempts.filter(at__gte=now - LATELY)), audit_rows(viewer, latest))


def tokens_in_use(viewer: Viewer) -> list[tuple[str, list[tuple[int, str]]]]:
    """Count the tokens of each role by their last use, each with the address of their list.

    The columns are those of `FRESHNESS`, and each includes the ones before it.
    """
    now = timezone.now()
    edges = {used: Q(last_used_at__gte=now - timedelta(days=days)) for used, _, days in FRESHNESS if days}
    counts = {used: Count("pk", filter=edge) for used, edge in edges.items()}
    known = Case(When(role__in=Role.values, then=F("role")), default=Value(""))
    rows = visible_tokens(viewer).order_by().annotate(known_role=known).values("known_role")
    found: dict[str, Mapping[str, Any]] = {row["known_role"]: row for row in rows.annotate(every=Count("pk"), **counts)}
    return [
        (role, [_tokens_cell(role, used, found[role][used or "every"]) for used, _, _ in FRESHNESS])
        for role in (*Role.values, "")
        if role in found
    ]


def _tokens_cell(role: str, used: str, count: int) -> tuple[int, str]:
    query = {"role": role or "unknown", **({"used": used} if used else {})}
    return count, reverse("console:tokens:list", query=query)


def assistants_in_use(viewer: Viewer, days: int = 30, limit: int = 6) -> list[Mapping[str, Any]]:
    """Return the assistants that called in the last `days` days, by their self-reported names, with their tokens."""
    rows = (
        visible_clients(viewer)
        .order_by()
        .values("name")
        .annotate(last_seen_at=Max("last_seen_at"), tokens=Count("token", distinct=True))
        .filter(last_seen_at__gte=timezone.now() - timedelta(days=days))
        .order_by("-last_seen_at", "name")[:limit]
    )
    return [row | {"address": reverse("console:tokens:list", query={"assistant": row["name"]})} for row in rows]


def latest_calls(viewer: Viewer, limit: int = 5) -> list[ToolCall]:
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
