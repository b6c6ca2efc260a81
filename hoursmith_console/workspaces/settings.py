"""What a workspace wants of its console, each change with what was before in the record."""

from django.db import router, transaction

from hoursmith_console.workspaces.models import Workspace
from mcpbridge.audit.console_events import record_event

WORDS = {"requires_two_factor": "second factor for whoever reviews", "retention_days": "days that audit rows are kept"}


def change_setting(*, workspace: Workspace, rule: str, value: bool | int | None, actor: str) -> bool:
    """Let `rule`, a key of WORDS, be `value` from now on; False where it was so already.

    Raises AuditUnavailableError where that cannot be recorded; then it stays as it was.
    """
    with transaction.atomic(using=router.db_for_write(Workspace)):
        standing = Workspace.objects.select_for_update().get(pk=workspace.pk)
        before = getattr(standing, rule)
        if before == value:
            return False
        setattr(standing, rule, value)
        standing.save(update_fields=[rule])
        record_event(
            org_id=standing.org_id,
            org_name=standing.name,
            action="console.setting_change",
            actor=actor,
            target_type="setting",
            target_id=rule,
            target_label=WORDS[rule],
            details={"before": _said(before), "after": _said(value)},
        )
    return True


def _said(value: bool | int | None) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "no limit" if value is None else str(value)
