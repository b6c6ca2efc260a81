"""The steps that members take: revoke, mint, say what is updated. The steps that are seen are in `observing`."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from hoursmith_console.rotations.models import NewTokenEvidence, Rotation, RotationKind, RotationTarget
from hoursmith_console.rotations.notices.assistants import refresh_rotation_notice
from hoursmith_console.rotations.permissions import can_mint_new_token, can_revoke
from hoursmith_console.rotations.services import RotationError, clear_new_token, lock_rotation, record_rotation_event
from hoursmith_console.rotations.state import can_revoke_now
from hoursmith_console.rotations.sync import instants_of
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_issuer.minting import mint_token
from hoursmith_console.token_issuer.protocol import MintedToken, NotTokenOwnerError
from hoursmith_console.token_policy.services import get_policy
from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.console_events import TokenNamed
from mcpbridge.models import ObservedToken

SCOPES = ("read", "write")


def mint_new_token(*, rotation: Rotation, member: Member, name: str, form: str) -> MintedToken:
    """The successor, whole, this once. `form` is the mark of the form that asks (`token_issuer.minting.new_form_id`).

    A successor that this rotation minted and that was never seen at work, because its secret was lost, is replaced
    and revoked with it; no other token is. Raises RotationError where `member` is not whose token it is or it has a
    successor at work, and all that `token_issuer.minting.mint_token` raises; then nothing was minted.
    """
    issuer = current_issuer()
    with issuer.all_or_nothing(), transaction.atomic():
        rotation = lock_rotation(rotation)
        if not can_mint_new_token(member, rotation):
            raise RotationError("A token acts as whoever makes it, so only the owner of the old one makes the new one.")
        _refuse_used_new_token(rotation)
        lost = rotation.new_key if rotation.new_token_evidence == NewTokenEvidence.MINTED else None
        minted = mint_token(
            member=member, name=name, scopes=_scopes_of(rotation), form=form, actor=member.display_identity
        )
        if lost is not None:
            _revoke(lost, member)
        clear_new_token(rotation)
        set_new_token(rotation, (minted.env, minted.prefix), NewTokenEvidence.MINTED)
        details = {"lost_token": TokenNamed(*lost)} if lost else {}
        record_rotation_event(rotation, "mint", actor=member.display_identity, details=details)
    return minted


def set_new_token(rotation: Rotation, key: tuple[str, str], how: NewTokenEvidence) -> None:
    """Know the token `key` as the successor of `rotation`, which the transaction around this holds."""
    rotation.new_env, rotation.new_prefix = key
    rotation.new_token_evidence, rotation.minted_at = how, timezone.now()
    rotation.save(update_fields=["new_env", "new_prefix", "new_token_evidence", "minted_at"])
    refresh_rotation_notice(rotation, get_policy(rotation.workspace))


def revoke_old_token(*, rotation: Rotation, member: Member) -> None:
    """Revoke the old token: the sandbox does it now, as `member` may; of the hosted service `member` says so.

    Raises RotationError where it is not theirs to revoke, or its kind promises that the new one is seen first; then
    nothing was revoked.
    """
    issuer = current_issuer()
    with issuer.all_or_nothing(), transaction.atomic():
        rotation = lock_rotation(rotation)
        if not can_revoke(member, rotation):
            raise RotationError("Only the owner of the token, an Owner or an Admin revokes it.")
        if rotation.revoked_at is not None:
            return
        if not can_revoke_now(RotationKind(rotation.kind), instants_of(rotation)):
            raise RotationError(
                "The new token was not seen everywhere yet: revoking now would cut assistants off. If the old one may "
                "have leaked, say so, and it goes first."
            )
        if issuer.supports_minting:
            _revoke(rotation.old_key, member)
        rotation.revoked_at, rotation.revoked_by = timezone.now(), member
        rotation.is_revocation_reported = not issuer.supports_minting
        rotation.save(update_fields=["revoked_at", "revoked_by", "is_revocation_reported"])
        refresh_rotation_notice(rotation, get_policy(rotation.workspace))
        # The record tells what was done from what was said.
        action = "revoke" if issuer.supports_minting else "revoke_said"
        record_rotation_event(rotation, action, actor=member.display_identity)


def confirm_all_targets(*, rotation: Rotation, member: Member) -> None:
    """Take the word of `member` that every assistant has the new token; the bridge goes on looking."""
    with transaction.atomic():
        rotation = lock_rotation(rotation)
        if rotation.updated_at is None:
            rotation.updated_at, rotation.updated_by = timezone.now(), member
            rotation.save(update_fields=["updated_at", "updated_by"])
            record_rotation_event(rotation, "updated", actor=member.display_identity)


def confirm_target(*, target: RotationTarget, member: Member) -> None:
    """Take the word of `member` that this assistant has the new token, as often as it turns out that it had not."""
    with transaction.atomic():
        rotation = lock_rotation(target.rotation)
        target.confirmed_at, target.unused_at, target.marked_by = timezone.now(), None, member
        target.save(update_fields=["confirmed_at", "unused_at", "marked_by"])
        record_rotation_event(rotation, "tick", actor=member.display_identity, details={"assistant": target.label})


def mark_target_unused(*, target: RotationTarget, member: Member) -> None:
    """Take the word of `member` that this assistant is no longer in use, so that nobody waits for it."""
    with transaction.atomic():
        rotation = lock_rotation(target.rotation)
        target.unused_at, target.marked_by = timezone.now(), member
        target.save(update_fields=["unused_at", "marked_by"])
        record_rotation_event(rotation, "give_up", actor=member.display_identity, details={"assistant": target.label})


def _revoke(key: tuple[str, str], member: Member) -> None:
    """End the token `key` as `member` may; raises RotationError where it is not theirs."""
    env, prefix = key
    try:
        current_issuer().revoke_token(org_id=member.workspace.org_id, user_ref=member.user_ref, env=env, prefix=prefix)
    except NotTokenOwnerError:
        raise RotationError(
            f"hsk_{env}_{prefix} acts as another member, so you cannot revoke it. Its owner, an Owner or an Admin can."
        ) from None


def _refuse_used_new_token(rotation: Rotation) -> None:
    key = rotation.new_key
    if key is not None and workspace_tokens(rotation).filter(env=key[0], prefix=key[1]).exists():
        raise RotationError(
            f"The new token hsk_{key[0]}_{key[1]} is at work already. If it is not the right one, correct that first."
        )


def workspace_tokens(rotation: Rotation) -> QuerySet[ObservedToken]:
    """Return the tokens of the workspace of `rotation`: no other's is ever found by a prefix."""
    return ObservedToken.objects.filter(org_id=rotation.org_id)


def _scopes_of(rotation: Rotation) -> list[str]:
    """What the old token may do; never more."""
    seen = workspace_tokens(rotation).filter(env=rotation.env, prefix=rotation.prefix).first()
    old = [scope for scope in SCOPES if scope in seen.scopes] if seen else []
    return old or list(SCOPES)
