"""Collect the events of rules into alerts, and turn due alerts into deliveries.

What is written about one rule is one transaction that locks the rule: events, cursor and deliveries are committed
together or not at all. All of it reads what the bridge has committed, so no tool call waits for it.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import partial
from typing import Any

from django.db import router, transaction
from django.db.models import F, QuerySet

from hoursmith_console.alerts.kinds import AlertKind, headline
from hoursmith_console.alerts.models import Alert, AlertDelivery, AlertEvent, AlertPause, AlertRule
from hoursmith_console.alerts.schedule import is_due, is_quiet
from hoursmith_console.alerts.signals.audit_log import AUDIT_KINDS, audit_events, last_entry
from hoursmith_console.alerts.signals.found import Event, Found
from hoursmith_console.alerts.signals.observed import OBSERVED_KINDS, observed_events
from hoursmith_console.tokens.labels import owners_in
from mcpbridge.models import TokenRef
from mcpbridge.workers import Attempts

# Of the events that messages list; others of these kinds are only counted, and known by the rule's cursor.
MOST_ROWS = 20
_COUNTED = frozenset({AlertKind.DELETION, AlertKind.UNKNOWN})
MOST_AT_ONCE = 500
# A rule that fails is logged once and does not stop the others.
_attempts = Attempts("alert-rules", title="An alert rule", every_s=0.0, is_on_demand=True)


def collect_audit_events(now: datetime) -> None:
    """Collect new events in the audit log."""
    heads: dict[str, int] = {}
    for rule in _rules(AUDIT_KINDS):
        org_id = rule.workspace.org_id
        if org_id not in heads:
            heads[org_id] = last_entry(org_id)
        if rule.cursor < heads[org_id]:
            _each(partial(_look, rule, now, partial(audit_events, rule, org_id, heads[org_id])))


def collect_observed_events(now: datetime) -> None:
    """Collect new events of every other kind."""
    for rule in _rules(OBSERVED_KINDS):
        _each(partial(_look, rule, now, partial(observed_events, rule, now)))


def close_due_alerts(now: datetime) -> None:
    """Close the alerts that are due, and create their deliveries."""
    paused = set(AlertPause.objects.values_list("workspace_id", flat=True))
    for alert in Alert.objects.filter(closed_at=None).select_related("rule"):
        rule = alert.rule
        if rule.workspace_id in paused or is_quiet(rule, now):
            if not alert.was_held:
                Alert.objects.filter(pk=alert.pk).update(was_held=True)
        elif is_due(rule, alert.opened_at, now):
            _each(partial(_close, alert.pk, now))


def _each(work: Callable[[], object]) -> None:
    """Do `work` about one rule; an error of the database in it must not undo what was done about others."""

    def contained() -> object:
        with _savepoint():
            return work()

    _attempts.run(contained)


def _savepoint() -> AbstractContextManager[Any]:
    """Open a savepoint in the job's transaction. On SQLite there is none, and one would take the write lock."""
    alias = router.db_for_write(AlertRule)
    is_inside = transaction.get_connection(alias).in_atomic_block
    return transaction.atomic(using=alias) if is_inside else nullcontext()


def _rules(kinds: Collection[str]) -> QuerySet[AlertRule]:
    rules = AlertRule.objects.filter(is_on=True, kind__in=kinds)
    return rules.select_related("workspace").order_by("workspace_id", "pk")


def _look(rule: AlertRule, now: datetime, look: Callable[[], Found]) -> None:
    _store(rule, look(), now)


def _store(rule: AlertRule, found: Found, now: datetime) -> None:
    """Store what was found, unless the rule was changed meanwhile, here or by another process."""
    cursor = rule.cursor if found.cursor is None else found.cursor
    memory = rule.memory if found.memory is None else dict(found.memory)
    events = _without_known(rule, found.events)
    if not events and cursor == rule.cursor and memory == rule.memory:
        return
    with transaction.atomic(using=router.db_for_write(AlertRule)):
        locked = AlertRule.objects.select_for_update().filter(pk=rule.pk, is_on=True).first()
        if locked is None or (locked.cursor, locked.memory, locked.since) != (rule.cursor, rule.memory, rule.since):
            return
        # Another process may have stored them between the look and the lock.
        _add(locked, _without_known(locked, events)[:MOST_AT_ONCE], now)
        locked.cursor, locked.memory = cursor, memory
        locked.save(update_fields=["cursor", "memory"])


def _without_known(rule: AlertRule, events: Sequence[Event]) -> list[Event]:
    """Return `events` without those that the rule has already, each once."""
    found = {event.key: event for event in events}
    keys = list(found)
    for start in range(0, len(keys), MOST_AT_ONCE):
        rows = AlertEvent.objects.filter(rule=rule, key__in=keys[start : start + MOST_AT_ONCE]).order_by()
        for key in rows.values_list("key", flat=True):
            found.pop(key)
    return list(found.values())


def _add(rule: AlertRule, events: Sequence[Event], now: datetime) -> None:
    """Add `events` to the open alert of the rule."""
    if not events:
        return
    alert, _ = Alert.objects.get_or_create(rule=rule, closed_at=None, defaults={"opened_at": now})
    kept = events[: max(0, MOST_ROWS - alert.count)] if rule.kind in _COUNTED else events
    prefixes = {event.facts["prefix"] for event in kept if event.facts.get("prefix")}
    owners = owners_in(rule.workspace_id, prefixes) if prefixes else {}
    rows = []
    for event in kept:
        owner = owners.get(TokenRef(event.facts.get("env", ""), event.facts.get("prefix", "")))
        facts = {**event.facts, "owner": owner.name} if owner else dict(event.facts)
        rows.append(AlertEvent(rule=rule, alert=alert, key=event.key, at=event.at, facts=facts))
    AlertEvent.objects.bulk_create(rows)
    Alert.objects.filter(pk=alert.pk).update(count=F("count") + len(events))


def _close(key: int, now: datetime) -> None:
    """Close the alert and create one delivery for each channel of its rule, unless it is closed already."""
    with transaction.atomic(using=router.db_for_write(Alert)):
        # The rule first, as `_store` does: no event may join an alert whose deliveries are sent already.
        rule = AlertRule.objects.select_for_update().filter(alerts=key).first()
        alert = Alert.objects.filter(pk=key, closed_at=None).first()
        if rule is None or alert is None:
            return
        alert.closed_at = now
        alert.save(update_fields=["closed_at"])
        AlertRule.objects.filter(pk=rule.pk).update(last_alert_at=now)
        AlertDelivery.objects.bulk_create(
            AlertDelivery(
                workspace_id=rule.workspace_id,
                rule=rule,
                channel=channel,
                alert=alert,
                rule_name=rule.name,
                channel_name=channel.name,
                summary=headline(rule.kind, alert.count),
                created_at=now,
                next_attempt_at=now,
            )
            for channel in rule.channels.all()
        )
