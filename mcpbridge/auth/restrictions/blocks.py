"""Block and unblock a token at the bridge."""

from django.db import transaction
from django.utils import timezone

from mcpbridge.audit.console_events import TokenNamed, record_event
from mcpbridge.auth.restrictions.store import notify_restrictions_changed
from mcpbridge.models import ObservedToken, TokenBlock


def block_token(
    *, env: str, prefix: str, org_id: str, actor: str, reason: str, liftable_by: int | None = None
) -> TokenBlock:
    """Block the token on every worker from the next request, and record who blocked it and why.

    `liftable_by` is the key of the member who may unblock it besides the workspace's admins; None means admins only.
    If an admin blocks a token that a member could unblock, the block becomes the admin's and is recorded again.
    The returned block's `is_new` says whether this call made it.
    Raises AuditUnavailableError if the block cannot be recorded; then nothing changes.
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
    block.is_new = made
    return block


def unblock_token(*, block: TokenBlock, actor: str) -> None:
    """Unblock the token. The row is kept, since the audit log refers to it.

    Raises AuditUnavailableError if it cannot be recorded; then the token stays blocked.
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
    """Return the token's name when it was last used; empty if it never was."""
    return ObservedToken.objects.filter(env=env, prefix=prefix).values_list("token_name", flat=True).first() or ""
