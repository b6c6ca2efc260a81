"""Read and change which destructive calls of a workspace need approval."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from mcpbridge.audit.console_events import record_event
from mcpbridge.auth.restrictions.store import notify_restrictions_changed
from mcpbridge.models import AnsweredIn, ApprovalRule, CallKind
from mcpbridge.tools import TOOLS

DESTRUCTIVE_TOOLS = tuple(tool.name for tool in TOOLS.values() if tool.kind is CallKind.DESTRUCTIVE)
# Less than the minute after which proxies and clients time out.
MAX_HOLD_S = 55
MIN_LIFETIME_S, MAX_LIFETIME_S = 60, 86_400


def get_approval_rule(org_id: str) -> ApprovalRule:
    """Return the rule of the workspace, or an unsaved one that requires no approval."""
    return ApprovalRule.objects.filter(org_id=org_id).first() or ApprovalRule(org_id=org_id)


def change_approval_rule(
    *,
    org_id: str,
    tools: Iterable[str],
    tokens: Iterable[str],
    hourly_limit: int | None,
    answered_in: str,
    holds_s: int,
    lasts_s: int,
    actor: str,
) -> bool:
    """Require approval for these calls from the next one on; return False if that was the rule before.

    `tokens` are each `env_prefix`; without tools, tokens and a limit no call needs approval. Raises
    AuditUnavailableError if the change cannot be recorded; then the rule stays as it was.
    """
    with transaction.atomic():
        ApprovalRule.objects.get_or_create(org_id=org_id)
        rule = ApprovalRule.objects.select_for_update().get(org_id=org_id)
        before = _described(rule)
        rule.tools, rule.tokens = sorted(set(tools) & set(DESTRUCTIVE_TOOLS)), sorted(set(tokens))
        rule.hourly_limit, rule.answered_in = hourly_limit, AnsweredIn(answered_in)
        rule.holds_s = min(max(holds_s, 0), MAX_HOLD_S)
        rule.lasts_s = min(max(lasts_s, MIN_LIFETIME_S), MAX_LIFETIME_S)
        after = _described(rule)
        if after == before:
            return False
        rule.save()
        notify_restrictions_changed()
        record_event(
            org_id=org_id,
            action="console.setting_change",
            actor=actor,
            target_type="setting",
            target_id="approvals",
            target_label="approvals",
            details={"before": before, "after": after},
        )
    return True


def is_active(rule: ApprovalRule) -> bool:
    """Return whether any call needs approval under `rule`."""
    return bool(rule.tools or rule.tokens) or rule.hourly_limit is not None


def _described(rule: ApprovalRule) -> dict[str, Any]:
    return {
        "tools": ", ".join(rule.tools) or "none",
        "tokens": ", ".join(rule.tokens) or "none",
        "past calls an hour": rule.hourly_limit if rule.hourly_limit is not None else "no limit",
        "answered in": str(rule.answered_in),
        "held for seconds": rule.holds_s,
        "stands for seconds": rule.lasts_s,
    }
