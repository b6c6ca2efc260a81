"""Who may do what with a rotation. A token acts as the member who minted it, so each mints for themselves alone.

An auditor reads everything and does nothing.
"""

from hoursmith_console.rotations.models import Rotation
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member
from mcpbridge.models import TokenBlock


def can_rotate(member: Member, owner: Member | None) -> bool:
    """Whether `member` may start, drive or abandon a rotation of a token that belongs to `owner`."""
    return _acts(member) and (member.administers or _is(member, owner))


def can_manage(member: Member, rotation: Rotation) -> bool:
    """Whether `member` may tick, give up, finish or abandon."""
    return member.workspace_id == rotation.workspace_id and can_rotate(member, rotation.owner)


def can_mint_new_token(member: Member, rotation: Rotation) -> bool:
    """Whether the successor may be minted, or shown, by `member`: only by whose token it is."""
    return _acts(member) and member.workspace_id == rotation.workspace_id and _is(member, rotation.owner)


def can_revoke(member: Member, rotation: Rotation) -> bool:
    """Whether `member` may end the old token, as Hoursmith itself decides it."""
    return can_manage(member, rotation)


def can_assign_owner(member: Member, rotation: Rotation) -> bool:
    """Whether `member` may say whose token it is: where nobody knows, or an admin said it before."""
    is_open = rotation.owner is None or rotation.is_owner_assigned
    return _acts(member) and member.workspace_id == rotation.workspace_id and member.administers and is_open


def can_block(member: Member, owner: Member | None) -> bool:
    """Whether `member` may stop a token at the bridge."""
    return can_rotate(member, owner)


def can_unblock(member: Member, block: TokenBlock) -> bool:
    """Whether `member` may lift `block`: who decides for its workspace, or the member who asked for it."""
    is_ours = block.org_id == member.workspace.org_id
    return _acts(member) and is_ours and (member.administers or block.liftable_by == member.pk)


def can_release_claim(member: Member, claim: TokenClaim) -> bool:
    """Whether `member` may say that a token is not its claimer's: they, or an admin; not where it was created here."""
    is_ours = claim.member.workspace_id == member.workspace_id
    return _acts(member) and is_ours and claim.is_verified and (member.administers or claim.member_id == member.pk)


def liftable_by(member: Member) -> int | None:
    """Whose key a block that `member` asks for carries: their own, or None where only admins are to lift it."""
    return None if member.administers else member.pk


def _acts(member: Member) -> bool:
    # An auditor only reads, also where a token of their own is concerned.
    return member.is_active and not member.is_auditor


def _is(member: Member, owner: Member | None) -> bool:
    return owner is not None and owner.pk == member.pk and not member.is_auditor
