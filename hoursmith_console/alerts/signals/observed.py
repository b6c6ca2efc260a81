"""Events that the bridge and the console observed. Each has a key; what has no event yet is new.

These rows are counted up in place, so no number says which ones are new. A look takes everything since the rule was
turned on, at most a week back; `collecting` leaves out what has a key already. A late commit is found by the next look.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, QuerySet
from django.urls import reverse

from hoursmith_console.alerts.kinds import AlertKind
from hoursmith_console.alerts.models import AlertRule
from hoursmith_console.alerts.signals.found import Event, Found, token_facts
from hoursmith_console.audit.models import Verification
from hoursmith_console.audit.numbers import deletions_address
from hoursmith_console.connections.grants.labels import grant_label
from hoursmith_console.leaked_tokens.models import LeakReport
from hoursmith_console.tokens.activity_rows import is_refused_for_plan
from hoursmith_console.tokens.first_uses import LEARNING, new_assistant_names, new_networks
from hoursmith_console.tokens.querysets import rejections_of
from mcpbridge.audit.destinations.status import failing_destinations
from mcpbridge.calls.approvals.policy import DESTRUCTIVE_TOOLS
from mcpbridge.models import (
    AuditEvent,
    AuditPhase,
    EndReason,
    Grant,
    ObservedClient,
    ObservedToken,
    Result,
    TokenRef,
    TokenTool,
    ToolCall,
)

LOOKED_BACK = timedelta(days=7)
FAILING_FOR = timedelta(minutes=5)
# The newest of a kind: assistants name themselves, and can do so without end.
MOST_LOOKED = 1_000
Look = Callable[[AlertRule, datetime, datetime], Iterator[Event]]


def observed_events(rule: AlertRule, now: datetime) -> Found:
    """Return the rule's new events, the oldest first."""
    if rule.kind == AlertKind.PLAN:
        return _plan(rule)
    events = sorted(
        _LOOKS[AlertKind(rule.kind)](rule, max(rule.since, now - LOOKED_BACK), now), key=lambda event: event.at
    )
    return Found(events)


def _tokens(rule: AlertRule) -> QuerySet[ObservedToken]:
    tokens = ObservedToken.objects.filter(org_id=rule.workspace.org_id)
    roles = rule.parameters.get("roles")
    return tokens.filter(role__in=roles) if roles else tokens


def _facts(token: ObservedToken) -> dict[str, str]:
    path = reverse("console:tokens:detail", args=[token.pk])
    return {**token_facts(token, token.token_name, token.role), "path": path}


def _new_assistants(rule: AlertRule, since: datetime, now: datetime) -> Iterator[Event]:
    clients = ObservedClient.objects.filter(token__in=_tokens(rule).order_by())
    names = {row["name"]: row["first"] for row in new_assistant_names(clients, since)[:MOST_LOOKED]}
    firsts = clients.filter(name__in=names, first_seen_at__gte=since).select_related("token")
    for client in firsts.order_by("first_seen_at", "pk"):
        if names.pop(client.name, None):
            path = reverse("console:activity:list", query={"assistant": client.name})
            facts = {**_facts(client.token), "assistant": client.name, "path": path}
            yield Event(f"assistant:{client.name}", client.first_seen_at, facts)


def _new_networks(rule: AlertRule, since: datetime, now: datetime) -> Iterator[Event]:
    rows = new_networks(_tokens(rule), since, older_than=now - LEARNING)
    for row in rows.select_related("token").order_by("-first_at", "-pk")[:MOST_LOOKED]:
        yield Event(f"network:{row.pk}", row.first_at, {**_facts(row.token), "network": row.network})


def _grants(rule: AlertRule) -> QuerySet[Grant]:
    grants = Grant.objects.filter(org_id=rule.workspace.org_id)
    roles = rule.parameters.get("roles")
    return grants.filter(role__in=roles) if roles else grants


def _grant_facts(grant: Grant) -> dict[str, str]:
    path = reverse("console:connections:grant", args=[grant.pk])
    facts = {**token_facts(grant, grant.token_name, grant.role), "path": path}
    return {**facts, "assistant": grant_label(grant), "member": grant.authorized_by}


def _authorizations(rule: AlertRule, since: datetime, now: datetime) -> Iterator[Event]:
    for grant in _grants(rule).filter(created_at__gte=since).order_by("-created_at", "-pk")[:MOST_LOOKED]:
        yield Event(f"grant:{grant.pk}", grant.created_at, _grant_facts(grant))


def _reuses(rule: AlertRule, since: datetime, now: datetime) -> Iterator[Event]:
    reused = (EndReason.CODE_REUSED, EndReason.REFRESH_REUSED)
    grants = _grants(rule).filter(ended_at__gte=since, ended_why__in=reused)
    for grant in grants.order_by("-ended_at", "-pk")[:MOST_LOOKED]:
        yield Event(f"grant:{grant.pk}", grant.ended_at or now, _grant_facts(grant))


def _first_deletions(rule: AlertRule, since: datetime, now: datetime) -> Iterator[Event]:
    """Yield tokens that deleted since `since`, and never before as far as the audit log goes back."""
    outcomes = AuditEvent.objects.filter(phase=AuditPhase.OUTCOME, result=Result.SUCCEEDED, recorded_at__lt=since)
    # Found by their intents, because no index has the tokens of outcomes.
    succeeded = Exists(outcomes.filter(call_id=OuterRef("call_id")).order_by())
    deletions = AuditEvent.objects.filter(succeeded, phase=AuditPhase.INTENT)
    same_token = {"org_id": rule.workspace.org_id, "env": OuterRef("token__env"), "prefix": OuterRef("token__prefix")}
    tools = TokenTool.objects.filter(tool__in=DESTRUCTIVE_TOOLS, calls__gt=F("refused"), last_at__gte=since)
    tools = tools.filter(~Exists(deletions.filter(**same_token).order_by()), token__in=_tokens(rule).order_by())
    for row in tools.select_related("token").order_by("last_at", "pk"):
        path = deletions_address(token=row.token.token_ref.address)
        yield Event(f"first:{row.token_id}", row.last_at, {**_facts(row.token), "tool": row.tool, "path": path})


def _attempts(rule: AlertRule, since: datetime, now: datetime) -> Iterator[Event]:
    rows = list(rejections_of(_tokens(rule)).filter(last_at__gte=since).order_by("last_at"))
    tokens = {token.token_ref: token for token in _tokens(rule).filter(prefix__in={row.prefix for row in rows})}
    for row in rows:
        # One a day and assistant, from whatever address.
        key = f"attempt:{row.env}_{row.prefix}:{row.fault}:{row.client_name}:{row.last_at:%Y-%m-%d}"
        facts = _facts(tokens[TokenRef(row.env, row.prefix)])
        path = f"{facts['path']}#refused"
        yield Event(key, row.last_at, {**facts, "assistant": row.client_name, "fault": row.fault, "path": path})


def _leaks(rule: AlertRule, since: datetime, now: datetime) -> Iterator[Event]:
    reports = LeakReport.objects.filter(workspace_id=rule.workspace_id, reported_at__gte=since).order_by("reported_at")
    tokens = {token.token_ref: token for token in _tokens(rule).filter(prefix__in=reports.values("prefix"))}
    for report in reports:
        token = tokens.get(TokenRef(report.env, report.prefix))
        facts = token_facts(report, token.token_name if token else "", token.role if token else "")
        path = reverse("console:leaked_tokens:list")
        yield Event(f"leak:{report.pk}", report.reported_at, {**facts, "member": report.reported_by, "path": path})


def _integrity(rule: AlertRule, since: datetime, now: datetime) -> Iterator[Event]:
    runs = Verification.objects.filter(org_id=rule.workspace.org_id, is_sound=False, ended_at__gte=since)
    for run in runs.order_by("ended_at"):
        facts = {"finding": run.what_is_wrong, "entry": run.bad_sequence, "path": reverse("console:audit:list")}
        yield Event(f"verification:{run.pk}", run.ended_at or run.seen_at, facts)


def _destinations(rule: AlertRule, since: datetime, now: datetime) -> Iterator[Event]:
    for status in failing_destinations(rule.workspace.org_id):
        destination, begin = status.destination, status.destination.failing_since
        if begin is not None and begin <= now - FAILING_FOR:
            path = reverse("console:audit:destination", args=[destination.pk])
            facts = {"name": destination.name, "finding": destination.fault, "pending": status.behind, "path": path}
            yield Event(f"destination:{destination.pk}:{begin.isoformat()}", begin, facts)


def _plan(rule: AlertRule) -> Found:
    """Find a change of the state, which `memory` keeps: a plan without API access refuses every call."""
    calls = ToolCall.objects.filter(org_id=rule.workspace.org_id, at__gte=rule.since).defer("arguments")
    if (last := calls.order_by("-at", "-pk").first()) is None:
        return Found()
    was, is_refused = bool(rule.memory.get("is_refused")), is_refused_for_plan(last.status)
    if was == is_refused:
        return Found()
    if was:
        return Found(memory={})
    path = reverse("console:activity:list", query={"result": "refused"})
    event = Event(f"plan:{last.call_id}", last.at, {"path": path})
    return Found([event], memory={"is_refused": True})


_LOOKS: dict[AlertKind, Look] = {
    AlertKind.FIRST_DELETION: _first_deletions,
    AlertKind.NEW_ASSISTANT: _new_assistants,
    AlertKind.AUTHORIZATION: _authorizations,
    AlertKind.REUSE: _reuses,
    AlertKind.NEW_NETWORK: _new_networks,
    AlertKind.ATTEMPT: _attempts,
    AlertKind.LEAK: _leaks,
    AlertKind.INTEGRITY: _integrity,
    AlertKind.DESTINATION: _destinations,
}
OBSERVED_KINDS = frozenset({*_LOOKS, AlertKind.PLAN})
