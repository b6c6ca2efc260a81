"""Who may do what with a rotation. A token acts as the member who minted it, so each mints for themselves alone.

An auditor reads everything and does nothing.
"""

from hoursmith_console.rotation.models import Rotation
from hoursmith_console.workspaces.models import Member
from mcpbridge.models import TokenBlock


def may_rotate(member: Member, owner: Member | None) -> bool:
    """Whether `member` may start, drive or abandon a rotation of a token that belongs to `owner`."""
    return _acts(member) and (member.administers or _is(member, owner))


def may_drive(member: Member, rotation: Rotation) -> bool:
    """Whether `member` may tick, give up, finish or abandon."""
    return member.workspace_id == rotation.workspace_id and may_rotate(member, rotation.owner)


def may_mint(member: Member, rotation: Rotation) -> bool:
    """Whether the successor may be minted by `member`: only by whose token it is."""
    return _acts(member) and member.workspace_id == rotation.workspace_id and _is(member, rotation.owner)


def may_revoke(member: Member, rotation: Rotation) -> bool:
    """Whether `member` may end the old token, as Hoursmith itself decides it."""
    return may_drive(member, rotation)


def may_assign(member: Member, rotation: Rotation) -> bool:
    """Whether `member` may say whose token it is, where nobody knows."""
    return member.workspace_id == rotation.workspace_id and member.administers and rotation.owner is None


def may_block(member: Member, owner: Member | None) -> bool:
    """Whether `member` may stop a token at the bridge."""
    return may_rotate(member, owner)


def may_unblock(member: Member, block: TokenBlock) -> bool:
    """Whether `member` may lift `block`: who decides for the workspace, or whoever asked for it."""
    return _acts(member) and (member.administers or block.blocked_by == member.named)


def _acts(member: Member) -> bool:
    # An auditor only reads, also where a token of their own is concerned.
    return member.is_active and not member.is_auditor


def _is(member: Member, owner: Member | None) -> bool:
    return owner is not None and owner.pk == member.pk and not member.is_auditor
