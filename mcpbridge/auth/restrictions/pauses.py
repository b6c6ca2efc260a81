"""Pause and resume destructive tools, for one token or a whole workspace. Other tools keep working."""

from django.db import transaction
from django.utils import timezone

from mcpbridge.audit.console_events import TokenNamed, record_event
from mcpbridge.auth.restrictions.blocks import token_name
from mcpbridge.auth.restrictions.store import notify_restrictions_changed
from mcpbridge.models import Freeze


def pause_destructive_tools(*, org_id: str, actor: str, reason: str, env: str = "", prefix: str = "") -> Freeze:
    """Pause the five destructive tools from the next call, for one token or, without `prefix`, for the workspace.

    Raises AuditUnavailableError if it cannot be recorded; then nothing is paused.
    """
    with transaction.atomic():
        freeze, made = Freeze.objects.get_or_create(
            org_id=org_id,
            env=env,
            prefix=prefix,
            lifted_at=None,
            defaults={"frozen_by": actor, "reason": reason, "frozen_at": timezone.now()},
        )
        if made:
            notify_restrictions_changed()
            _record("console.freeze", freeze, actor=actor, note=reason)
    return freeze


def resume_destructive_tools(*, freeze: Freeze, actor: str) -> None:
    """Resume the destructive tools. Raises AuditUnavailableError; then they stay paused."""
    with transaction.atomic():
        in_force = Freeze.objects.filter(pk=freeze.pk, lifted_at=None)
        if in_force.update(lifted_at=timezone.now(), lifted_by=actor):
            notify_restrictions_changed()
            _record("console.unfreeze", freeze, actor=actor, note="")


def _record(action: str, freeze: Freeze, *, actor: str, note: str) -> None:
    name = token_name(freeze.env, freeze.prefix) if freeze.prefix else ""
    record_event(
        org_id=freeze.org_id,
        action=action,
        actor=actor,
        target_type="token" if freeze.prefix else "workspace",
        target_id=freeze.prefix or freeze.org_id,
        target_label=name or ("" if freeze.prefix else "every token of the workspace"),
        token=TokenNamed(freeze.env, freeze.prefix, name) if freeze.prefix else None,
        note=note,
    )
