"""The steps that members take: revoke, mint, say what is updated. The steps that are seen are in `observing`."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from hoursmith_console.rotations.models import Kind, Rotation, RotationPlace, Successor
from hoursmith_console.rotations.notices.assistants import rotation_notice_refresh
from hoursmith_console.rotations.permissions import may_mint, may_revoke
from hoursmith_console.rotations.services import RotationError, rotation_held, rotation_record, successor_clear
from hoursmith_console.rotations.state import may_revoke_now
from hoursmith_console.rotations.sync import instants_of
from hoursmith_console.token_issuer import current_authority
from hoursmith_console.token_issuer.minting import token_mint
from hoursmith_console.token_issuer.protocol import MintedToken, NotTheirsError
from hoursmith_console.token_policy.services import policy_of
from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.console_events import TokenNamed
from mcpbridge.models import SeenToken

SCOPES = ("read", "write")


def rotation_mint(*, rotation: Rotation, member: Member, name: str, form: str) -> MintedToken:
    """The successor, whole, this once. `form` is the mark of the form that asks (`authority.minting.mint_form`).

    A successor that this rotation minted and that was never seen at work, because its secret was lost, is replaced
    and revoked with it; no other token is. Raises RotationError where `member` is not whose token it is or it has a
    successor at work, and all that `authority.minting.token_mint` raises; then nothing was minted.
    """
    authority = current_authority()
    with authority.all_or_nothing(), transaction.atomic():
        rotation = rotation_held(rotation)
        if not may_mint(member, rotation):
            raise RotationError("A token acts as whoever makes it, so only the owner of the old one makes the new one.")
        _refuse_successor_at_work(rotation)
        lost = rotation.new_key if rotation.successor == Successor.MINTED else None
        minted = token_mint(member=member, name=name, scopes=_scopes_of(rotation), form=form, actor=member.named)
        if lost is not None:
            _revoke(lost, member)
        successor_clear(rotation)
        successor_set(rotation, (minted.env, minted.prefix), Successor.MINTED)
        details = {"lost_token": TokenNamed(*lost)} if lost else {}
        rotation_record(rotation, "mint", actor=member.named, details=details)
    return minted


def successor_set(rotation: Rotation, key: tuple[str, str], how: Successor) -> None:
    """Know the token `key` as the successor of `rotation`, which the transaction around this holds."""
    rotation.new_env, rotation.new_prefix = key
    rotation.successor, rotation.minted_at = how, timezone.now()
    rotation.save(update_fields=["new_env", "new_prefix", "successor", "minted_at"])
    rotation_notice_refresh(rotation, policy_of(rotation.workspace))


def rotation_revoke(*, rotation: Rotation, member: Member) -> None:
    """Revoke the old token: the sandbox does it now, as `member` may; of the hosted service `member` says so.

    Raises RotationError where it is not theirs to revoke, or its kind promises that the new one is seen first; then
    nothing was revoked.
    """
    authority = current_authority()
    with authority.all_or_nothing(), transaction.atomic():
        rotation = rotation_held(rotation)
        if not may_revoke(member, rotation):
            raise RotationError("Only the owner of the token, an Owner or an Admin revokes it.")
        if rotation.revoked_at is not None:
            return
        if not may_revoke_now(Kind(rotation.kind), instants_of(rotation)):
            raise RotationError(
                "The new token was not seen everywhere yet: revoking now would cut assistants off. If the old one may "
                "have leaked, say so, and it goes first."
            )
        if authority.can_mint:
            _revoke(rotation.old_key, member)
        rotation.revoked_at, rotation.revoked_by = timezone.now(), member
        rotation.is_revocation_said = not authority.can_mint
        rotation.save(update_fields=["revoked_at", "revoked_by", "is_revocation_said"])
        rotation_notice_refresh(rotation, policy_of(rotation.workspace))
        # The record tells what was done from what was said.
        action = "revoke" if authority.can_mint else "revoke_said"
        rotation_record(rotation, action, actor=member.named)


def rotation_updated(*, rotation: Rotation, member: Member) -> None:
    """Take the word of `member` that every assistant has the new token; the bridge goes on looking."""
    with transaction.atomic():
        rotation = rotation_held(rotation)
        if rotation.updated_at is None:
            rotation.updated_at, rotation.updated_by = timezone.now(), member
            rotation.save(update_fields=["updated_at", "updated_by"])
            rotation_record(rotation, "updated", actor=member.named)


def place_tick(*, place: RotationPlace, member: Member) -> None:
    """Take the word of `member` that this assistant has the new token, as often as it turns out that it had not."""
    with transaction.atomic():
        rotation = rotation_held(place.rotation)
        place.ticked_at, place.given_up_at, place.said_by = timezone.now(), None, member
        place.save(update_fields=["ticked_at", "given_up_at", "said_by"])
        rotation_record(rotation, "tick", actor=member.named, details={"assistant": place.label})


def place_give_up(*, place: RotationPlace, member: Member) -> None:
    """Take the word of `member` that this assistant is no longer in use, so that nobody waits for it."""
    with transaction.atomic():
        rotation = rotation_held(place.rotation)
        place.given_up_at, place.said_by = timezone.now(), member
        place.save(update_fields=["given_up_at", "said_by"])
        rotation_record(rotation, "give_up", actor=member.named, details={"assistant": place.label})


def _revoke(key: tuple[str, str], member: Member) -> None:
    """End the token `key` as `member` may; raises RotationError where it is not theirs."""
    env, prefix = key
    try:
        current_authority().token_revoke(
            org_id=member.workspace.org_id, user_ref=member.user_ref, env=env, prefix=prefix
        )
    except NotTheirsError:
        raise RotationError(
            f"hsk_{env}_{prefix} acts as another member, so you cannot revoke it. Its owner, an Owner or an Admin can."
        ) from None


def _refuse_successor_at_work(rotation: Rotation) -> None:
    key = rotation.new_key
    if key is not None and tokens_here(rotation).filter(env=key[0], prefix=key[1]).exists():
        raise RotationError(
            f"The new token hsk_{key[0]}_{key[1]} is at work already. If it is not the right one, correct that first."
        )


def tokens_here(rotation: Rotation) -> QuerySet[SeenToken]:
    """Return the tokens of the workspace of `rotation`: no other's is ever found by a prefix."""
    return SeenToken.objects.filter(org_id=rotation.org_id)


def _scopes_of(rotation: Rotation) -> list[str]:
    """What the old token may do; never more."""
    seen = tokens_here(rotation).filter(env=rotation.env, prefix=rotation.prefix).first()
    old = [scope for scope in SCOPES if scope in seen.scopes] if seen else []
    return old or list(SCOPES)
