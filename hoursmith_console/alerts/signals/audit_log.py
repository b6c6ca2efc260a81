"""Events in the audit log. A workspace's entries are committed in the order of their sequence, so none is skipped."""

from collections import defaultdict, deque
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import router
from django.db.models import Q, QuerySet
from django.urls import reverse

from hoursmith_console.alerts.kinds import AlertKind
from hoursmith_console.alerts.models import AlertRule
from hoursmith_console.alerts.signals.found import Event, Found, token_facts
from hoursmith_console.audit.calls import IN_DOUBT
from hoursmith_console.audit.numbers import deletions_address
from hoursmith_console.tokens.numbers import within
from mcpbridge.activity.usage import hour_of
from mcpbridge.audit.heads import head_of
from mcpbridge.models import AuditEvent, AuditPhase, CallKind, Result

MOST_AT_ONCE = 500
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
_SUCCEEDED = Q(phase=AuditPhase.OUTCOME, result=Result.SUCCEEDED, kind=CallKind.DESTRUCTIVE)
_WANTED = {AlertKind.DELETION: _SUCCEEDED, AlertKind.RATE: _SUCCEEDED, AlertKind.UNKNOWN: IN_DOUBT}
AUDIT_KINDS = frozenset(_WANTED)
# Enough for any limit that a rule can have.
MOST_COUNTED = 10_000


def last_entry(org_id: str) -> int:
    """Return the sequence number of the workspace's last audit entry."""
    return head_of(router.db_for_write(AuditEvent), org_id).sequence


def audit_events(rule: AlertRule, org_id: str, last: int) -> Found:
    """Return the rule's events after its cursor, up to the entry `last`; the first 500 of more."""
    if rule.cursor >= last:
        return Found(cursor=max(rule.cursor, last))
    entries = _entries(rule, org_id).filter(_WANTED[AlertKind(rule.kind)])
    entries = entries.filter(sequence__gt=rule.cursor, sequence__lte=last).order_by("sequence")
    rows = list(entries.defer("arguments", "snapshot")[:MOST_AT_ONCE])
    cursor = rows[-1].sequence if len(rows) == MOST_AT_ONCE else last
    events = _rate_events(rule, org_id, rows) if rule.kind == AlertKind.RATE else [_event(rule, row) for row in rows]
    return Found(events, cursor)


def _entries(rule: AlertRule, org_id: str) -> QuerySet[AuditEvent]:
    """Return the entries of calls that the rule's parameters name."""
    entries = AuditEvent.objects.filter(org_id=org_id)
    if roles := rule.parameters.get("roles"):
        entries = entries.filter(role__in=roles)
    if tools := rule.parameters.get("tools"):
        entries = entries.filter(tool__in=tools)
    if tokens := rule.parameters.get("tokens"):
        named = Q(prefix__in=[])
        for env, _, prefix in (token.partition("_") for token in tokens):
            named |= Q(env=env, prefix=prefix)
        entries = entries.filter(named)
    return entries


def _event(rule: AlertRule, row: AuditEvent) -> Event:
    facts = {
        **token_facts(row, row.token_name, row.role),
        "tool": row.tool,
        "assistant": row.client_name,
        "target_type": row.target_type,
        "path": reverse("console:audit:detail", args=[row.call_id]),
    }
    if rule.includes_record:
        facts["record"] = row.target_label
    return Event(f"call:{row.call_id}:{rule.kind}", row.recorded_at, facts)


def _rate_events(rule: AlertRule, org_id: str, rows: Sequence[AuditEvent]) -> list[Event]:
    """Return an event for the first entry of each hour with more than `limit` within the hour before it."""
    limit, by_token = int(rule.parameters.get("limit", 1)), rule.parameters.get("counted") == "token"
    events: dict[str, Event] = {}
    counts: dict[str, deque[datetime]] = defaultdict(deque)
    fresh = {row.sequence: row for row in rows}
    for sequence, at, env, prefix in _within_the_hour(rule, org_id, rows):
        token = f"{env}_{prefix}" if by_token else ""
        recent = counts[token]
        recent.append(at)
        while recent[0] <= at - HOUR:
            recent.popleft()
        key = f"rate:{token}:{hour_of(at)}"
        row = fresh.get(sequence)
        if row is None or len(recent) <= limit or key in events:
            continue
        facts = token_facts(row, row.token_name, row.role) if by_token else {}
        path = deletions_address(**within(at - HOUR, HOUR + MINUTE), **({"token": token} if token else {}))
        events[key] = Event(key, at, {**facts, "calls": len(recent), "limit": limit, "path": path})
    return list(events.values())


def _within_the_hour(
    rule: AlertRule, org_id: str, rows: Sequence[AuditEvent]
) -> Sequence[tuple[int, datetime, str, str]]:
    """Return sequence, instant and token of what counts for `rows`: themselves, and the hour before the first."""
    if not rows:
        return []
    near = _entries(rule, org_id).filter(_SUCCEEDED, recorded_at__gt=rows[0].recorded_at - HOUR)
    near = near.filter(sequence__lte=rows[-1].sequence).order_by("-sequence")
    return list(near.values_list("sequence", "recorded_at", "env", "prefix")[:MOST_COUNTED])[::-1]
