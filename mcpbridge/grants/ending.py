"""End grants. An ended grant's envelopes are refused from the next request, on every worker and machine."""

from datetime import timedelta

from django.db import router, transaction
from django.utils import timezone

from mcpbridge.audit.console_events import TokenNamed, record_event
from mcpbridge.auth.restrictions.store import notify_restrictions_changed
from mcpbridge.grants.limits import MAX_ACCESS_HOURS
from mcpbridge.models import EndReason, Grant, Result

# Longer than any access envelope is valid, also if the machines' clocks differ.
_REFUSED_FOR = timedelta(hours=2 * MAX_ACCESS_HOURS)
_ACTIONS = {
    EndReason.CODE_REUSED: "console.connection_reuse",
    EndReason.REFRESH_REUSED: "console.connection_reuse",
}


def end_grant(*, grant: Grant, why: EndReason, actor: str, note: str = "") -> bool:
    """End the grant and record who ended it and why; return False if it had ended before.

    Raises AuditUnavailableError if that cannot be recorded; then the grant continues.
    """
    now = timezone.now()
    with transaction.atomic(using=router.db_for_write(Grant)):
        in_force = Grant.objects.filter(pk=grant.pk, ended_at=None)
        ended = {"ended_at": now, "ended_why": why, "ended_by": actor[:200], "refused_until": now + _REFUSED_FOR}
        if not in_force.update(**ended):
            return False
        notify_restrictions_changed()
        record_event(
            org_id=grant.org_id,
            action=_ACTIONS.get(why, "console.connection_end"),
            actor=actor,
            target_type="grant",
            target_id=grant.id,
            target_label=grant.client_name,
            details={"reason": str(why.label)},
            token=TokenNamed(grant.env, grant.prefix, grant.token_name),
            note=note,
            result=Result.SUCCEEDED,
        )
    for name, value in ended.items():
        setattr(grant, name, value)
    return True


def end_grants_of_token(*, env: str, prefix: str, org_id: str, why: EndReason, actor: str) -> int:
    """End all grants of the workspace's token; return how many there were. Raises AuditUnavailableError."""
    with transaction.atomic(using=router.db_for_write(Grant)):
        grants = list(Grant.objects.filter(env=env, prefix=prefix, org_id=org_id, ended_at=None))
        return sum(end_grant(grant=grant, why=why, actor=actor) for grant in grants)
