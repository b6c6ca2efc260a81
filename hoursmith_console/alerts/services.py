"""Actions on rules, channels and the pause. Each change and its audit entry are one transaction."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import time
from typing import Any

from django.conf import settings as django_settings
from django.db import IntegrityError, router, transaction
from django.utils import timezone

from hoursmith_console.alerts.channels import seal_address
from hoursmith_console.alerts.kinds import AlertKind
from hoursmith_console.alerts.models import (
    ERROR_LENGTH,
    AlertChannel,
    AlertDelivery,
    AlertPause,
    AlertRule,
    ChannelKind,
    DeliveryState,
    Timing,
)
from hoursmith_console.alerts.sending import try_to_send
from hoursmith_console.alerts.signals.audit_log import last_entry
from hoursmith_console.workspaces.models import Workspace
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.destinations.errors import DestinationError
from mcpbridge.audit.destinations.targets import checked_addresses, secret_webhook_target
from mcpbridge.db.locks import acquire_locks
from mcpbridge.models import Result
from mcpbridge.redaction.masking import redact

# Every process looks at every rule, so their number is limited.
MOST_RULES, MOST_CHANNELS = 30, 10
# A page waits for tests, of all channels of a rule.
TEST_LIMIT_S = 5.0


class AlertError(Exception):
    """Invalid input; nothing was changed. `field` names the form's field, if there is one."""

    def __init__(self, text: str, *, field: str = "") -> None:
        super().__init__(text)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSettings:
    """What a user chooses for a rule. `channels` belong to the workspace of the rule."""

    name: str
    channels: Sequence[AlertChannel]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timing: str = Timing.AT_ONCE
    digest_hour: int = 8
    quiet_from: time | None = None
    quiet_until: time | None = None
    zone: str = "UTC"
    includes_record: bool = False

    @property
    def columns(self) -> dict[str, Any]:
        """Return the columns of the rule."""
        names = ("name", "timing", "digest_hour", "quiet_from", "quiet_until", "zone", "includes_record")
        return {**{name: getattr(self, name) for name in names}, "parameters": dict(self.parameters)}


def create_rule(*, workspace: Workspace, kind: AlertKind, settings: RuleSettings, actor: str) -> AlertRule:
    """Create a rule that alerts of what happens from now on. Raises AlertError and AuditUnavailableError."""
    with _changing(workspace, "rule"):
        if AlertRule.objects.filter(workspace=workspace).count() >= MOST_RULES:
            raise AlertError(f"A workspace has at most {MOST_RULES} alert rules. Delete one that is no longer needed.")
        rule = AlertRule.objects.create(
            workspace=workspace,
            kind=kind,
            cursor=last_entry(workspace.org_id),
            created_by=actor,
            **settings.columns,
        )
        rule.channels.set(settings.channels)
        _record(workspace, "rule_create", actor, rule, _details(rule, settings.channels))
    return rule


def change_rule(*, rule: AlertRule, settings: RuleSettings, actor: str) -> None:
    """Change a rule; collected events that are not sent yet follow it. Raises as `create_rule` does."""
    with _changing(rule.workspace, "rule"):
        before = _details(rule, list(rule.channels.all()))
        for name, value in settings.columns.items():
            setattr(rule, name, value)
        after = _details(rule, settings.channels)
        changed = {name: value for name, value in after.items() if before[name] != value}
        if not changed:
            return
        rule.save(update_fields=list(settings.columns))
        rule.channels.set(settings.channels)
        details = {**changed, "before": {name: before[name] for name in changed}}
        _record(rule.workspace, "rule_change", actor, rule, details)


def switch_rule(*, rule: AlertRule, is_on: bool, actor: str) -> None:
    """Turn a rule on, for what happens from now on, or off. Do nothing if it is already."""
    with _changing(rule.workspace, "rule"):
        locked = AlertRule.objects.select_for_update().get(pk=rule.pk)
        if locked.is_on == is_on:
            return
        locked.is_on = is_on
        if is_on:
            locked.cursor, locked.since, locked.memory = last_entry(rule.workspace.org_id), timezone.now(), {}
        locked.save(update_fields=["is_on", "cursor", "since", "memory"])
        _record(rule.workspace, "rule_on" if is_on else "rule_off", actor, rule, {})


def delete_rule(*, rule: AlertRule, actor: str) -> None:
    """Delete a rule. Deliveries that wait are cancelled; the others stay in the list."""
    with _changing(rule.workspace, "rule"):
        _cancel(AlertDelivery.objects.filter(rule=rule), "The rule was deleted.")
        details = _details(rule, list(rule.channels.all()))
        _record(rule.workspace, "rule_delete", actor, rule, details)
        rule.delete()


def create_channel(
    *, workspace: Workspace, name: str, kind: str, actor: str, address: str = "", recipients: Sequence[str] = ()
) -> AlertChannel:
    """Create a channel: for email with `recipients`, else with the secret `address` of a webhook.

    Raises AlertError and AuditUnavailableError.
    """
    columns = _receiver(workspace, kind, address, recipients)
    with _changing(workspace, "channel"):
        if AlertChannel.objects.filter(workspace=workspace).count() >= MOST_CHANNELS:
            raise AlertError(f"A workspace has at most {MOST_CHANNELS} channels. Delete one that is no longer needed.")
        channel = AlertChannel.objects.create(workspace=workspace, name=name, kind=kind, created_by=actor, **columns)
        _record(workspace, "channel_create", actor, channel, {"kind": kind, "to": channel.target})
    return channel


def change_channel(
    *, channel: AlertChannel, name: str, actor: str, address: str = "", recipients: Sequence[str] = ()
) -> None:
    """Change name and receiver; an empty `address` keeps the present one. Raises as `create_channel` does."""
    keeps = channel.kind != ChannelKind.EMAIL and not address
    columns = {} if keeps else _receiver(channel.workspace, channel.kind, address, recipients)
    with _changing(channel.workspace, "channel"):
        before = {"name": channel.name, "to": channel.target}
        for column, value in {"name": name, **columns}.items():
            setattr(channel, column, value)
        channel.save(update_fields=["name", *columns])
        # What waits after failed attempts is tried with the new address at once.
        waiting = AlertDelivery.objects.filter(channel=channel, state=DeliveryState.WAITING, reserved_until=None)
        waiting.update(next_attempt_at=timezone.now())
        after = {"name": channel.name, "to": channel.target}
        details = {**after, "before": before, "new_address": bool(address)}
        _record(channel.workspace, "channel_change", actor, channel, details)


def delete_channel(*, channel: AlertChannel, actor: str) -> None:
    """Delete a channel that no rule uses. Raises AlertError if one does."""
    with _changing(channel.workspace, "channel"):
        if names := list(channel.rules.values_list("name", flat=True)[:3]):
            raise AlertError(f"Rules use this channel: {', '.join(names)}. Give them another channel first.")
        _cancel(AlertDelivery.objects.filter(channel=channel), "The channel was deleted.")
        _record(channel.workspace, "channel_delete", actor, channel, {"kind": channel.kind, "to": channel.target})
        channel.delete()


def send_test(*, rule: AlertRule, channel: AlertChannel, actor: str) -> str:
    """Send a test of the rule to the channel now; return the error text, empty on success."""
    now = timezone.now()
    delivery = AlertDelivery(
        workspace=rule.workspace,
        rule=rule,
        channel=channel,
        rule_name=rule.name,
        channel_name=channel.name,
        summary="Test",
        is_test=True,
        created_at=now,
        attempts=1,
    )
    error = try_to_send(
        delivery, rule, channel, now, limit_s=min(TEST_LIMIT_S, django_settings.LOG_DESTINATION_TIMEOUT_S)
    )
    fault = redact(str(error))[:ERROR_LENGTH] if error else ""
    with _changing(rule.workspace, "rule"):
        delivery.state = DeliveryState.FAILED if fault else DeliveryState.SENT
        delivery.last_error, delivery.ended_at = fault, timezone.now()
        delivery.save()
        details = {"channel": channel.name, **({"fault": fault} if fault else {})}
        result = Result.FAILED if fault else Result.SUCCEEDED
        _record(rule.workspace, "test", actor, rule, details, result=result)
    return fault


def pause_alerts(*, workspace: Workspace, actor: str) -> None:
    """Send nothing until alerts are resumed; events are collected meanwhile. Do nothing if they are paused."""
    with _changing(workspace, "pause"):
        if not AlertPause.objects.filter(workspace=workspace).exists():
            AlertPause.objects.create(workspace=workspace, paused_by=actor)
            _record(workspace, "pause", actor, None, {})


def resume_alerts(*, workspace: Workspace, actor: str) -> None:
    """Send what was collected, and alerts from now on. Do nothing if they are not paused."""
    with _changing(workspace, "pause"):
        if AlertPause.objects.filter(workspace=workspace).delete()[0]:
            _record(workspace, "resume", actor, None, {})


def _receiver(workspace: Workspace, kind: str, address: str, recipients: Sequence[str]) -> dict[str, Any]:
    """Return the columns of where a channel sends to. Raises AlertError."""
    if kind == ChannelKind.EMAIL:
        if not recipients:
            raise AlertError("Enter at least one email address.", field="recipients")
        return {"recipients": list(recipients)}
    try:
        checked_addresses(secret_webhook_target(address))
        sealed, host = seal_address(address, org_id=workspace.org_id)
    except DestinationError as error:
        raise AlertError(str(error), field="address") from None
    return {"encrypted_address": sealed, "host": host}


def _cancel(deliveries: Any, reason: str) -> None:
    ended = {"state": DeliveryState.CANCELLED, "ended_at": timezone.now(), "last_error": reason}
    deliveries.filter(state=DeliveryState.WAITING).update(**ended)


def _details(rule: AlertRule, channels: Sequence[AlertChannel]) -> dict[str, Any]:
    quiet = f"{rule.quiet_from:%H:%M}-{rule.quiet_until:%H:%M}" if rule.quiet_from and rule.quiet_until else ""
    return {
        "name": rule.name,
        "kind": rule.kind,
        "parameters": rule.parameters,
        "channels": sorted(channel.name for channel in channels),
        "timing": rule.timing,
        "digest_hour": rule.digest_hour,
        "quiet_hours": quiet,
        "zone": rule.zone,
        "includes_record": rule.includes_record,
    }


@contextmanager
def _changing(workspace: Workspace, what: str) -> Iterator[None]:
    """Run one change at a time in a transaction. Raises AlertError if a name is taken."""
    alias = router.db_for_write(AlertRule)
    try:
        with transaction.atomic(using=alias):
            # Of two concurrent calls, the second counts the first one's row.
            acquire_locks(alias, f"alerts {workspace.pk}")
            yield
    except IntegrityError:
        raise AlertError(f"Another {what} has this name.", field="name") from None


def _record(
    workspace: Workspace,
    action: str,
    actor: str,
    about: AlertRule | AlertChannel | None,
    details: Mapping[str, Any],
    *,
    result: Result = Result.SUCCEEDED,
) -> None:
    is_channel = isinstance(about, AlertChannel)
    record_event(
        org_id=workspace.org_id,
        org_name=workspace.name,
        action=f"console.alert_{action}",
        actor=actor,
        target_type="alert_channel" if is_channel else "alert_rule" if about else "alerts",
        target_id=str(about.pk) if about else "",
        target_label=about.name if about else "all alerts",
        details=details,
        result=result,
    )
