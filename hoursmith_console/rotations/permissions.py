"""Permissions on tokens and rotations. A token acts as its creator, so members create tokens only for themselves.

Auditors can read everything and change nothing.
"""

from hoursmith_console.rotations.models import Rotation
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member
from mcpbridge.models import TokenBlock


def can_rotate(member: Member, owner: Member | None) -> bool:
    """Return whether `member` may start or manage a rotation of a token that belongs to `owner`."""
    return _can_write(member) and (member.administers or _is(member, owner))


def can_manage(member: Member, rotation: Rotation) -> bool:
    """Return whether `member` may mark assistants, finish or cancel."""
    return member.workspace_id == rotation.workspace_id and can_rotate(member, rotation.owner)


def can_mint_new_token(member: Member, rotation: Rotation) -> bool:
    """Return whether `member` may create or verify the new token: only the owner of the old one."""
    return _can_write(member) and member.workspace_id == rotation.workspace_id and _is(member, rotation.owner)


def can_revoke(member: Member, rotation: Rotation) -> bool:
    """Return whether `member` may revoke the old token. Hoursmith checks this as well."""
    return can_manage(member, rotation)


def can_assign_owner(member: Member, rotation: Rotation) -> bool:
    """Return whether `member` may assign the owner: unknown so far, or assigned by an admin."""
    is_open = rotation.owner is None or rotation.is_owner_assigned
    return _can_write(member) and member.workspace_id == rotation.workspace_id and member.administers and is_open


def can_remind(member: Member, rotation: Rotation) -> bool:
    """Return whether `member` may remind the owner: admins, of others' open rotations."""
    is_others = rotation.owner is not None and rotation.owner.pk != member.pk
    return can_manage(member, rotation) and is_others and rotation.ended_at is None


def can_block(member: Member, owner: Member | None) -> bool:
    """Return whether `member` may block a token that belongs to `owner`."""
    return can_rotate(member, owner)


def can_unblock(member: Member, block: TokenBlock) -> bool:
    """Return whether `member` may remove `block`: Owners and Admins, or the member who set it."""
    is_ours = block.org_id == member.workspace.org_id
    return _can_write(member) and is_ours and (member.administers or block.liftable_by == member.pk)


def can_release_claim(member: Member, claim: TokenClaim) -> bool:
    """Return whether `member` may release `claim`: its member or an admin, unless the token was created here."""
    is_ours = claim.member.workspace_id == member.workspace_id
    return _can_write(member) and is_ours and claim.is_verified and (member.administers or claim.member_id == member.pk)


def liftable_by(member: Member) -> int | None:
    """Return the key of the member who may remove a block that `member` sets; None if only admins may."""
    return None if member.administers else member.pk


def _can_write(member: Member) -> bool:
    # Auditors are read-only, even for their own tokens.
    return member.is_active and not member.is_auditor


def _is(member: Member, owner: Member | None) -> bool:
    return owner is not None and owner.pk == member.pk and not member.is_auditor
