"""Build what a message says from the facts of its events: what, who, when, and where to see it. Never a secret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from hoursmith_console.alerts.kinds import AlertKind, headline
from hoursmith_console.alerts.models import Alert, AlertDelivery, AlertEvent, AlertRule
from hoursmith_console.alerts.schedule import is_quiet, local_text
from hoursmith_console.audit.numbers import deletions_address
from hoursmith_console.tokens.numbers import minute_text

MOST_LINES = 10
_PAST = {"delete": "deleted", "archive": "archived"}
_FAULTS = {"rejected": "revoked at Hoursmith", "blocked": "blocked in this console"}


@dataclass(frozen=True, slots=True)
class Line:
    """One event in words. `detail` is made here; `what` and `who` have names from outside. `facts` are for programs."""

    what: str
    detail: str
    who: str
    when: str
    url: str
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """One message. Texts contain names from outside, which each form makes harmless."""

    id: str
    workspace: str
    org_id: str
    rule: str
    kind: str
    headline: str
    count: int
    lines: Sequence[Line]
    url: str
    rule_url: str
    note: str = ""
    is_test: bool = False

    @property
    def more(self) -> int:
        """Return how many events have no line."""
        return self.count - len(self.lines)


def message_of(delivery: AlertDelivery, rule: AlertRule) -> Message:
    """Return the message of a delivery of `rule`."""
    alert = delivery.alert
    if alert is None:
        return _test_message(delivery, rule)
    events = list(alert.events.order_by("at", "pk")[: MOST_LINES + 1])
    lines = [line_of(rule, event) for event in events[:MOST_LINES]]
    note = _note(rule, alert) if alert.was_held else ""
    since = events[0].at if events else alert.opened_at
    url = lines[0].url if alert.count == 1 and lines else _absolute(list_path(rule, since))
    return _message(delivery, rule, headline(rule.kind, alert.count), alert.count, lines, url, note)


def _test_message(delivery: AlertDelivery, rule: AlertRule) -> Message:
    text = "This is a test. Nothing happened."
    return _message(delivery, rule, text, 0, [], _absolute(_rule_path(rule)), "", is_test=True)


def _message(
    delivery: AlertDelivery,
    rule: AlertRule,
    text: str,
    count: int,
    lines: Sequence[Line],
    url: str,
    note: str,
    *,
    is_test: bool = False,
) -> Message:
    workspace = delivery.workspace
    return Message(
        id=f"alert_{delivery.pk}" if delivery.pk else f"test_{rule.pk}_{delivery.created_at.timestamp():.0f}",
        workspace=workspace.name,
        org_id=workspace.org_id,
        rule=rule.name,
        kind=rule.kind,
        headline=text,
        count=count,
        lines=lines,
        url=url,
        rule_url=_absolute(_rule_path(rule)),
        note=note,
        is_test=is_test,
    )


def _note(rule: AlertRule, alert: Alert) -> str:
    if rule.quiet_from is None or rule.quiet_until is None or not is_quiet(rule, alert.opened_at):
        return "Held back while alerts were paused."
    return f"Held back during quiet hours ({rule.quiet_from:%H:%M} to {rule.quiet_until:%H:%M} {rule.zone})."


def line_of(rule: AlertRule, event: AlertEvent) -> Line:
    """Return the words of one event."""
    facts = event.facts
    when = local_text(event.at, rule.zone)
    url = _absolute(str(facts.get("path", "/")))
    return Line(_what(rule.kind, facts), str(facts.get("network", "")), _who(facts), when, url, event.at, facts)


def _what(kind: str, facts: Mapping[str, Any]) -> str:
    assistant = facts.get("assistant") or "An unnamed assistant"
    match kind:
        case AlertKind.DELETION:
            return f"{assistant} {_deed(facts)}"
        case AlertKind.UNKNOWN:
            return f"{assistant} may have {_deed(facts)}: the outcome is unknown"
        case AlertKind.RATE:
            where = "with one token" if facts.get("prefix") else "in this workspace"
            return f"{facts['calls']:,} records deleted or archived within an hour {where} (limit {facts['limit']:,})"
        case AlertKind.FIRST_DELETION:
            return f"First deletion with this token, by {facts['tool']}"
        case AlertKind.NEW_ASSISTANT:
            return f"New assistant: {facts['assistant']}"
        case AlertKind.AUTHORIZATION:
            return f"{facts['assistant']} may now work with this token, allowed by {facts['member']}"
        case AlertKind.REUSE:
            return f"An old code or refresh token of {facts['assistant']} was used again. Its access was ended"
        case AlertKind.NEW_NETWORK:
            return "Token used from a new network:"
        case AlertKind.ATTEMPT:
            fault = str(facts["fault"])
            return f"{assistant} still sends a token that is {_FAULTS.get(fault, fault.replace('_', ' '))}"
        case AlertKind.LEAK:
            return f"Token reported as leaked by {facts['member']}"
        case AlertKind.INTEGRITY:
            return f"{facts['finding']}, at entry {facts['entry'] or 0:,}"
        case AlertKind.DESTINATION:
            return f"Log destination {facts['name']} is failing: {facts['finding']}"
        case _:
            return "The plan does not include API access, so Hoursmith refuses every call"


def _deed(facts: Mapping[str, Any]) -> str:
    verb, _, thing = str(facts["tool"]).partition("_")
    record = f": {facts['record']}" if facts.get("record") else ""
    article = "an" if thing[:1] in "aeiou" else "a"
    return f"{_PAST.get(verb, verb)} {article} {thing.replace('_', ' ')}{record}"


def _who(facts: Mapping[str, Any]) -> str:
    if not facts.get("prefix"):
        return ""
    named = f", {facts['token_name']}" if facts.get("token_name") else ""
    owner = f" of {facts['owner']}" if facts.get("owner") else ""
    role = f" ({facts['role']})" if facts.get("role") else ""
    return f"Token hsk_{facts['env']}_{facts['prefix']}{named}{owner}{role}"


def list_path(rule: AlertRule, since: datetime | None = None) -> str:
    """Return the page that lists what the rule is about, from the minute of `since` on."""
    begin = {"since": minute_text(since)} if since else {}
    match rule.kind:
        case AlertKind.DELETION | AlertKind.RATE:
            return deletions_address(**_single(rule), **begin)
        case AlertKind.UNKNOWN:
            return reverse("console:audit:list", query={"outcome": "unknown", **_single(rule)})
        case AlertKind.FIRST_DELETION:
            return deletions_address(**begin)
        case AlertKind.NEW_ASSISTANT:
            return reverse("console:activity:list", query=begin)
        case AlertKind.AUTHORIZATION | AlertKind.REUSE:
            return reverse("console:connections:grants")
        case AlertKind.NEW_NETWORK | AlertKind.ATTEMPT:
            return reverse("console:tokens:list")
        case AlertKind.LEAK:
            return reverse("console:leaked_tokens:list")
        case AlertKind.DESTINATION:
            return reverse("console:audit:destinations")
        case AlertKind.PLAN:
            return reverse("console:activity:list", query={"result": "refused"})
        case _:
            return reverse("console:audit:list")


def _single(rule: AlertRule) -> dict[str, str]:
    """Return the filters of the list for parameters with one value; it has none for several."""
    parameters = {"tool": rule.parameters.get("tools"), "token": rule.parameters.get("tokens")}
    return {name: values[0] for name, values in parameters.items() if values and len(values) == 1}


def _rule_path(rule: AlertRule) -> str:
    return reverse("console:alerts:rule", args=[rule.pk])


def _absolute(path: str) -> str:
    return f"{settings.PUBLIC_URL}{path}"
