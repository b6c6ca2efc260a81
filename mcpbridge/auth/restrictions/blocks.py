"""Blocks a token at the bridge, and lets it through again."""

from django.db import transaction
from django.utils import timezone

from mcpbridge.audit.console_events import TokenNamed, record_event
from mcpbridge.auth.restrictions.store import notify_restrictions_changed
from mcpbridge.models import ObservedToken, TokenBlock


def block_token(
    *, env: str, prefix: str, org_id: str, actor: str, reason: str, liftable_by: int | None = None
) -> TokenBlock:
    """Refuse the token at the bridge from the next request on, on every worker, and record who asked and why.

    `liftable_by` is the key of the member who may unblock it again beside the workspace's admins; None: admins alone.
    A block that a member may lift becomes an admin's where an admin asks for it too, and is recorded once more.
    Raises AuditUnavailableError where that cannot be recorded; then nothing has changed.
    """
    with transaction.atomic():
        asked = {"blocked_by": actor, "reason": reason, "blocked_at": timezone.now(), "liftable_by": liftable_by}
        block, made = TokenBlock.objects.get_or_create(
            env=env, prefix=prefix, org_id=org_id, lifted_at=None, defaults=asked
        )
        if not made and liftable_by is None:
            in_force = TokenBlock.objects.filter(pk=block.pk, lifted_at=None).exclude(liftable_by=None)
            made = bool(in_force.update(**asked))
            block.refresh_from_db()
        if made:
            notify_restrictions_changed()
            _record("console.token_block", block, actor=actor, note=reason)
    return block


def unblock_token(*, block: TokenBlock, actor: str) -> None:
    """Let the token through again. The row stays, since the record must still name the block next year.

    Raises AuditUnavailableError where it cannot be recorded; then the block stays in force.
    """
    with transaction.atomic():
        in_force = TokenBlock.objects.filter(pk=block.pk, lifted_at=None)
        if in_force.update(lifted_at=timezone.now(), lifted_by=actor):
            notify_restrictions_changed()
            _record("console.token_unblock", block, actor=actor, note="")


def _record(action: str, block: TokenBlock, *, actor: str, note: str) -> None:
    name = token_name(block.env, block.prefix)
    record_event(
        org_id=block.org_id,
        action=action,
        actor=actor,
        target_type="token",
        target_id=block.prefix,
        target_label=name,
        token=TokenNamed(block.env, block.prefix, name),
        note=note,
    )


def token_name(env: str, prefix: str) -> str:
    """What the token was called when it was last seen; empty where it never was."""
    return ObservedToken.objects.filter(env=env, prefix=prefix).values_list("token_name", flat=True).first() or ""
