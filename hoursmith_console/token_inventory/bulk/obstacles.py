"""Why an action cannot be done to a token: asked for the preview, and again for each token when it is its turn."""

from dataclasses import dataclass

from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.rotations.permissions import can_rotate
from hoursmith_console.token_inventory.models import BulkAction, BulkOutcome
from hoursmith_console.token_inventory.status import TokenStatus
from hoursmith_console.workspaces.models import Member


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why the action is not done to a token."""

    outcome: BulkOutcome
    text: str


def can_do(member: Member, action: BulkAction) -> bool:
    """Return whether `member` may do this at all: only admins request something of the owners."""
    return not member.is_auditor if action is BulkAction.BLOCK else member.administers


def obstacle(action: BulkAction, *, member: Member, owner: Member | None, status: TokenStatus) -> Obstacle | None:
    """Return why `member` cannot do `action` to a token of `owner`; None if they can."""
    if not (can_do(member, action) and can_rotate(member, owner)):
        return Obstacle(BulkOutcome.DENIED, "Only its owner, an Owner or an Admin can do this.")
    if status.is_revoked:
        new = f"Rotated: the new token is {status.new_token}." if status.new_token else "Revoked."
        return Obstacle(BulkOutcome.REVOKED, new)
    if action is BulkAction.BLOCK:
        return _block_obstacle(member, status)
    rotation = status.rotation
    return _request_obstacle(action, rotation) if rotation is not None and status.is_rotating else None


def _block_obstacle(member: Member, status: TokenStatus) -> Obstacle | None:
    block = status.block
    # An admin's block replaces one that its member could remove.
    if block is None or (member.administers and block.liftable_by is not None):
        return None
    return Obstacle(BulkOutcome.ALREADY, f"Blocked by {block.blocked_by.partition(' <')[0]}.")


def _request_obstacle(action: BulkAction, rotation: Rotation) -> Obstacle | None:
    if rotation.campaign is not None and rotation.campaign.closed_at is None:
        return Obstacle(BulkOutcome.ALREADY, f"Requested in the campaign “{rotation.campaign.title}”.")
    if rotation.ends_without_new_token:
        return Obstacle(BulkOutcome.ALREADY, "Its revocation is in progress.")
    if rotation.kind == RotationKind.LEAKED:
        return Obstacle(BulkOutcome.ALREADY, "It leaked, and its rotation is in progress, which revokes it first.")
    if action is BulkAction.REVOCATION and rotation.minted_at is not None:
        return Obstacle(BulkOutcome.ALREADY, "Its rotation is in progress and has a new token; it ends by revoking.")
    return None
