"""The steps that people take: revoke, mint, say what is updated. The steps that are seen are in `observing`."""

from django.db import transaction
from django.utils import timezone

from hoursmith_console.authority import current_authority
from hoursmith_console.authority.minting import token_mint
from hoursmith_console.authority.protocol import MintedToken
from hoursmith_console.rotation.models import Kind, Rotation, RotationPlace
from hoursmith_console.rotation.notices.assistants import rotation_notice_refresh
from hoursmith_console.rotation.policy.services import policy_of
from hoursmith_console.rotation.progress.observing import instants_of
from hoursmith_console.rotation.progress.rules import may_mint
from hoursmith_console.rotation.progress.services import RotationError, rotation_held, rotation_record
from hoursmith_console.rotation.progress.steps import may_revoke_now
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member
from mcpbridge.models import SeenToken

SCOPES = ("read", "write")


def rotation_mint(*, rotation: Rotation, member: Member, name: str, form: str, actor: str) -> MintedToken:
    """The successor, whole, this once. `form` is the mark of the form that asks (`authority.minting.mint_form`).

    A successor that was never seen at work, because its secret was lost, is replaced and revoked with it. Raises
    RotationError where `member` is not whose token it is or it has a successor at work, and all that
    `authority.minting.token_mint` raises; then nothing was minted.
    """
    authority = current_authority()
    with authority.all_or_nothing(), transaction.atomic():
        rotation = rotation_held(rotation)
        if not may_mint(member, rotation):
            raise RotationError("A token acts as whoever makes it, so only the owner of the old one makes the new one.")
        _refuse_successor_at_work(rotation)
        lost = (rotation.new_env, rotation.new_prefix)
        minted = token_mint(member=member, name=name, scopes=_scopes_of(rotation), form=form, actor=actor)
        if lost[1]:
            authority.token_revoke(env=lost[0], prefix=lost[1])
        rotation.new_env, rotation.new_prefix = minted.env, minted.prefix
        rotation.minted_at = timezone.now()
        rotation.save(update_fields=["new_env", "new_prefix", "minted_at"])
        rotation_notice_refresh(rotation, policy_of(rotation.workspace))
        details = {"successor": minted.public, "lost": f"hsk_{lost[0]}_{lost[1]}" if lost[1] else ""}
        rotation_record(rotation, "mint", actor=actor, details={name: text for name, text in details.items() if text})
    return minted


def rotation_successor(*, rotation: Rotation, env: str, prefix: str, actor: str) -> None:
    """Know the successor that was made elsewhere by its public part; raises RotationError where it cannot be it."""
    with transaction.atomic():
        rotation = rotation_held(rotation)
        _refuse_successor_at_work(rotation)
        if not may_succeed(rotation, env, prefix):
            raise RotationError("That is no new token of this person in this workspace. Look at its public part again.")
        rotation.new_env, rotation.new_prefix = env, prefix
        rotation.minted_at = timezone.now()
        rotation.save(update_fields=["new_env", "new_prefix", "minted_at"])
        rotation_notice_refresh(rotation, policy_of(rotation.workspace))
        rotation_record(rotation, "successor", actor=actor, details={"successor": f"hsk_{env}_{prefix}"})


def may_succeed(rotation: Rotation, env: str, prefix: str) -> bool:
    """Whether the token can be the successor: another one, and no other person's, workspace's or rotation's."""
    if (env, prefix) == (rotation.env, rotation.prefix):
        return False
    seen = SeenToken.objects.filter(env=env, prefix=prefix).first()
    if seen is not None and seen.org_id != rotation.workspace.org_id:
        return False
    claim = TokenClaim.objects.filter(env=env, prefix=prefix).first()
    if claim is not None and rotation.owner_id != claim.member_id:
        return False
    rotations = Rotation.objects.exclude(pk=rotation.pk)
    is_old = rotations.filter(env=env, prefix=prefix).exclude(revoked_at=None).exists()
    return not is_old and not rotations.filter(new_env=env, new_prefix=prefix).exists()


def rotation_revoke(*, rotation: Rotation, actor: str) -> None:
    """Revoke the old token: the sandbox does it now; of the hosted service `actor` says that they did.

    Raises RotationError where its kind promises that the new one is seen first; then nothing was revoked.
    """
    authority = current_authority()
    with authority.all_or_nothing(), transaction.atomic():
        rotation = rotation_held(rotation)
        if rotation.revoked_at is not None:
            return
        if not may_revoke_now(Kind(rotation.kind), instants_of(rotation)):
            raise RotationError(
                "The new token was not seen everywhere yet: revoking now would cut assistants off. If the old one may "
                "have leaked, say so, and it goes first."
            )
        if authority.can_mint:
            authority.token_revoke(env=rotation.env, prefix=rotation.prefix)
        rotation.revoked_at = timezone.now()
        rotation.save(update_fields=["revoked_at"])
        rotation_notice_refresh(rotation, policy_of(rotation.workspace))
        by = "the console" if authority.can_mint else "the person, at Hoursmith"
        rotation_record(rotation, "revoke", actor=actor, details={"revoked_by": by})


def rotation_updated(*, rotation: Rotation, actor: str) -> None:
    """Take `actor`'s word that every assistant has the new token; the bridge goes on looking."""
    with transaction.atomic():
        rotation = rotation_held(rotation)
        if rotation.updated_at is None:
            rotation.updated_at = timezone.now()
            rotation.save(update_fields=["updated_at"])
            rotation_record(rotation, "updated", actor=actor)


def place_tick(*, place: RotationPlace, actor: str) -> None:
    """Take `actor`'s word that this assistant has the new token, as often as it turns out that it had not."""
    with transaction.atomic():
        rotation = rotation_held(place.rotation)
        place.ticked_at, place.given_up_at = timezone.now(), None
        place.save(update_fields=["ticked_at", "given_up_at"])
        rotation_record(rotation, "tick", actor=actor, details={"assistant": place.label})


def place_give_up(*, place: RotationPlace, actor: str) -> None:
    """Take `actor`'s word that this assistant is no longer in use, so that nobody waits for it."""
    with transaction.atomic():
        rotation = rotation_held(place.rotation)
        place.given_up_at = timezone.now()
        place.save(update_fields=["given_up_at"])
        rotation_record(rotation, "give_up", actor=actor, details={"assistant": place.label})


def _refuse_successor_at_work(rotation: Rotation) -> None:
    if rotation.new_prefix and SeenToken.objects.filter(env=rotation.new_env, prefix=rotation.new_prefix).exists():
        raise RotationError(f"The new token hsk_{rotation.new_env}_{rotation.new_prefix} is at work already.")


def _scopes_of(rotation: Rotation) -> list[str]:
    """What the old token may do; never more."""
    seen = SeenToken.objects.filter(env=rotation.env, prefix=rotation.prefix).first()
    old = [scope for scope in SCOPES if scope in seen.scopes] if seen else []
    return old or list(SCOPES)
