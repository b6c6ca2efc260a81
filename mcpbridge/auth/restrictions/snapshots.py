"""Turn snapshots of deleted and archived records off and on, per workspace."""

from django.db import transaction
from django.utils import timezone

from mcpbridge.audit.console_events import record_event
from mcpbridge.auth.restrictions.store import notify_restrictions_changed
from mcpbridge.models import SnapshotStop


def turn_off_snapshots(*, org_id: str, actor: str) -> None:
    """Neither read nor store the record before a destructive call, from the next call.

    Raises AuditUnavailableError if it cannot be recorded; then snapshots stay on.
    """
    with transaction.atomic():
        _, made = SnapshotStop.objects.get_or_create(
            org_id=org_id, lifted_at=None, defaults={"stopped_by": actor, "stopped_at": timezone.now()}
        )
        if made:
            notify_restrictions_changed()
            _record(org_id, actor=actor, before="on", after="off")


def turn_on_snapshots(*, org_id: str, actor: str) -> None:
    """Store snapshots again. Raises AuditUnavailableError; then they stay off."""
    with transaction.atomic():
        in_force = SnapshotStop.objects.filter(org_id=org_id, lifted_at=None)
        if in_force.update(lifted_at=timezone.now(), lifted_by=actor):
            notify_restrictions_changed()
            _record(org_id, actor=actor, before="off", after="on")


def _record(org_id: str, *, actor: str, before: str, after: str) -> None:
    record_event(
        org_id=org_id,
        action="console.setting_change",
        actor=actor,
        target_type="setting",
        target_id="snapshots",
        target_label="snapshots",
        details={"before": before, "after": after},
    )
