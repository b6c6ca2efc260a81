"""Change the settings of a workspace, recording each change with the previous value."""

from django.db import router, transaction

from hoursmith_console.workspaces.models import Workspace
from mcpbridge.audit.console_events import record_event

LABELS = {"requires_two_factor": "two-factor authentication required", "retention_days": "audit log retention in days"}


def change_setting(*, workspace: Workspace, rule: str, value: bool | int | None, actor: str) -> bool:
    """Set `rule`, a key of LABELS, to `value`; return False if it had that value.

    Raises AuditUnavailableError; then nothing is changed.
    """
    with transaction.atomic(using=router.db_for_write(Workspace)):
        locked = Workspace.objects.select_for_update().get(pk=workspace.pk)
        before = getattr(locked, rule)
        if before == value:
            return False
        setattr(locked, rule, value)
        locked.save(update_fields=[rule])
        record_event(
            org_id=locked.org_id,
            org_name=locked.name,
            action="console.setting_change",
            actor=actor,
            target_type="setting",
            target_id=rule,
            target_label=LABELS[rule],
            details={"before": _in_words(before), "after": _in_words(value)},
        )
    return True


def _in_words(value: bool | int | None) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "no limit" if value is None else str(value)
