"""Read and change the token policy."""

from typing import Any

from django.db import transaction
from django.dispatch import Signal

from hoursmith_console.token_policy.models import TokenPolicy
from hoursmith_console.workspaces.models import Workspace
from mcpbridge.audit.console_events import record_event

# Sent with `workspace` once a new policy is stored.
policy_changed = Signal()
_FIELDS = ("max_age_days", "max_idle_days", "warn_days", "notices_in_text")


def get_policy(workspace: Workspace) -> TokenPolicy:
    """Return the workspace's policy, or an unsaved one without limits."""
    return TokenPolicy.objects.filter(workspace=workspace).first() or TokenPolicy(workspace=workspace)


def change_policy(
    *,
    workspace: Workspace,
    max_age_days: int | None,
    max_idle_days: int | None,
    warn_days: int,
    notices_in_text: bool,
    actor: str,
) -> bool:
    """Save the policy and log the previous values; return False if nothing changed.

    Raises AuditUnavailableError if that cannot be logged; then the policy is unchanged.
    """
    with transaction.atomic():
        policy, _ = TokenPolicy.objects.select_for_update().get_or_create(workspace=workspace)
        before = _values(policy)
        policy.max_age_days, policy.max_idle_days = max_age_days, max_idle_days
        policy.warn_days, policy.notices_in_text = warn_days, notices_in_text
        after = _values(policy)
        if before == after:
            return False
        policy.save()
        record_event(
            org_id=workspace.org_id,
            org_name=workspace.name,
            action="console.policy_change",
            actor=actor,
            target_type="policy",
            target_label="the token policy",
            details={"before": before, "after": after},
        )
    policy_changed.send(sender=TokenPolicy, workspace=workspace)
    return True


def _values(policy: TokenPolicy) -> dict[str, Any]:
    return {name: getattr(policy, name) for name in _FIELDS}
