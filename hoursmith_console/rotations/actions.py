"""Steps that members take: create the new token, revoke the old one, mark assistants as updated.

Observed steps are in `sync`.
"""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from hoursmith_console.rotations.models import NewTokenEvidence, Rotation, RotationKind, RotationTarget
from hoursmith_console.rotations.notices.assistants import refresh_rotation_notice
from hoursmith_console.rotations.permissions import can_mint_new_token, can_revoke
from hoursmith_console.rotations.progress.sync import instants_of
from hoursmith_console.rotations.services import (
    RotationError,
    clear_new_token,
    latest_rotation,
    lock_rotation,
    record_rotation_event,
    start_rotation,
)
from hoursmith_console.rotations.state import can_revoke_now
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_issuer.minting import mint_token
from hoursmith_console.token_issuer.protocol import MintedToken, NotTokenOwnerError
from hoursmith_console.token_policy.services import get_policy
from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.console_events import TokenNamed
from mcpbridge.grants.ending import end_grants_of_token
from mcpbridge.models import EndReason, ObservedToken, TokenRef

SCOPES = ("read", "write")


def mint_new_token(*, rotation: Rotation, member: Member, name: str, form: str) -> MintedToken:
    """Create the new token and return it with its secret, this one time. `form` is the one-use form mark.

    A new token that this rotation created and that was never used (its secret was lost) is revoked and replaced.
    Raises RotationError if `member` is not the owner or the new token is in use, and everything that
    `token_issuer.minting.mint_token` raises; then nothing was created.
    """
    issuer = current_issuer()
    with issuer.all_or_nothing(), transaction.atomic():
        rotation = lock_rotation(rotation)
        if not can_mint_new_token(member, rotation):
            raise RotationError(
                "Only the owner of the old token can create the new one, because a token acts as its creator."
            )
        _refuse_used_new_token(rotation)
        lost = rotation.new_ref if rotation.new_token_evidence == NewTokenEvidence.MINTED else None
        minted = mint_token(
            member=member, name=name, scopes=_scopes_of(rotation), form=form, actor=member.display_identity
        )
        if lost is not None:
            _revoke(lost, member)
        clear_new_token(rotation)
        set_new_token(rotation, TokenRef(minted.env, minted.prefix), NewTokenEvidence.MINTED)
        details = {"lost_token": TokenNamed(*lost)} if lost else {}
        record_rotation_event(rotation, "mint", actor=member.display_identity, details=details)
    return minted


def set_new_token(rotation: Rotation, ref: TokenRef, how: NewTokenEvidence) -> None:
    """Set the token `ref` as the new token of a locked `rotation`."""
    rotation.new_env, rotation.new_prefix = ref
    rotation.new_token_evidence, rotation.minted_at = how, timezone.now()
    rotation.save(update_fields=["new_env", "new_prefix", "new_token_evidence", "minted_at"])
    refresh_rotation_notice(rotation, get_policy(rotation.workspace))


def revoke_old_token(*, rotation: Rotation, member: Member) -> None:
    """Revoke the old token in the sandbox, or record that `member` revoked it at Hoursmith.

    Raises RotationError if `member` may not revoke it, or the rotation must verify the new token first; then nothing
    was revoked.
    """
    issuer = current_issuer()
    with issuer.all_or_nothing(), transaction.atomic():
        rotation = lock_rotation(rotation)
        if not can_revoke(member, rotation):
            raise RotationError("Only the owner of the token, an Owner or an Admin can revoke it.")
        if rotation.revoked_at is not None:
            return
        if not can_revoke_now(RotationKind(rotation.kind), instants_of(rotation)):
            raise RotationError(
                "The new token is not verified on every assistant yet. Revoking now would disconnect the others. If "
                "the old token has leaked, choose “Treat as leaked”."
            )
        if issuer.supports_minting:
            _revoke(rotation.old_ref, member)
        rotation.revoked_at, rotation.revoked_by = timezone.now(), member
        rotation.is_revocation_reported = not issuer.supports_minting
        rotation.save(update_fields=["revoked_at", "revoked_by", "is_revocation_reported"])
        refresh_rotation_notice(rotation, get_policy(rotation.workspace))
        # The audit log tells revoked here from reported as revoked.
        action = "revoke" if issuer.supports_minting else "revoke_said"
        record_rotation_event(rotation, action, actor=member.display_identity)


def revoke_token(*, env: str, prefix: str, member: Member, reason: str = "") -> Rotation:
    """Revoke a token, in the sandbox at once; hosted, start its revocation, which `member` then does at Hoursmith.

    A rotation of it that has a new token already continues as one of a leaked token: revoked first. Return the
    rotation. Raises RotationError if `member` may not revoke it, UnknownTokenError if the workspace has no such token,
    or AuditUnavailableError; then nothing changed.
    """
    workspace, issuer = member.workspace, current_issuer()
    with issuer.all_or_nothing(), transaction.atomic():
        latest = latest_rotation(env=env, prefix=prefix, workspace=workspace)
        has_new_token = latest is not None and latest.ended_at is None and bool(latest.new_prefix)
        rotation = start_rotation(
            env=env,
            prefix=prefix,
            workspace=workspace,
            kind=RotationKind.LEAKED if has_new_token else RotationKind.REVOCATION,
            actor=member.display_identity,
            reason=reason,
        )
        if not can_revoke(member, rotation):
            raise RotationError("Only the owner of the token, an Owner or an Admin can revoke it.")
        if issuer.supports_minting:
            revoke_old_token(rotation=rotation, member=member)
    rotation.refresh_from_db()
    return rotation


def confirm_all_targets(*, rotation: Rotation, member: Member) -> None:
    """Mark every assistant as updated; they are still verified by observed calls."""
    with transaction.atomic():
        rotation = lock_rotation(rotation)
        if rotation.updated_at is None:
            rotation.updated_at, rotation.updated_by = timezone.now(), member
            rotation.save(update_fields=["updated_at", "updated_by"])
            record_rotation_event(rotation, "updated", actor=member.display_identity)


def confirm_target(*, target: RotationTarget, member: Member) -> None:
    """Mark the assistant as updated. May be repeated if it still used the old token."""
    with transaction.atomic():
        rotation = lock_rotation(target.rotation)
        target.confirmed_at, target.unused_at, target.marked_by = timezone.now(), None, member
        target.save(update_fields=["confirmed_at", "unused_at", "marked_by"])
        record_rotation_event(rotation, "tick", actor=member.display_identity, details={"assistant": target.label})


def mark_target_unused(*, target: RotationTarget, member: Member) -> None:
    """Mark the assistant as no longer used, so that the rotation does not wait for it."""
    with transaction.atomic():
        rotation = lock_rotation(target.rotation)
        target.unused_at, target.marked_by = timezone.now(), member
        target.save(update_fields=["unused_at", "marked_by"])
        record_rotation_event(rotation, "give_up", actor=member.display_identity, details={"assistant": target.label})


def _revoke(ref: TokenRef, member: Member) -> None:
    """Revoke the token `ref` as `member`, and end what assistants got with it.

    Raises RotationError if Hoursmith does not let them.
    """
    env, prefix = ref
    try:
        current_issuer().revoke_token(org_id=member.workspace.org_id, user_ref=member.user_ref, env=env, prefix=prefix)
    except NotTokenOwnerError:
        raise RotationError(
            f"{ref} belongs to another member. Its owner, an Owner or an Admin can revoke it."
        ) from None
    end_grants_of_token(
        env=env,
        prefix=prefix,
        org_id=member.workspace.org_id,
        why=EndReason.TOKEN_REVOKED,
        actor=member.display_identity,
    )


def _refuse_used_new_token(rotation: Rotation) -> None:
    ref = rotation.new_ref
    if ref is not None and workspace_tokens(rotation).filter(env=ref.env, prefix=ref.prefix).exists():
        raise RotationError(f"The new token {ref} is already in use. If it is the wrong token, remove it first.")


def workspace_tokens(rotation: Rotation) -> QuerySet[ObservedToken]:
    """Return the tokens of the rotation's workspace."""
    return ObservedToken.objects.filter(org_id=rotation.org_id)


def _scopes_of(rotation: Rotation) -> list[str]:
    """Return the scopes of the old token, so that the new one gets no more."""
    seen = workspace_tokens(rotation).filter(env=rotation.env, prefix=rotation.prefix).first()
    old = [scope for scope in SCOPES if scope in seen.scopes] if seen else []
    return old or list(SCOPES)
