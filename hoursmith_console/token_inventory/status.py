"""Status of tokens: blocked, rotating, revoked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hoursmith_console.rotations.models import Rotation
from hoursmith_console.tokens.labels import ref_of
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import TokenBlock, TokenIdentity, TokenRef


@dataclass(frozen=True, slots=True)
class TokenStatus:
    """Status of a token: its block and its open (else latest) rotation.

    `is_still_accepted`: Hoursmith accepts the old token although it counts as revoked.
    """

    block: TokenBlock | None = None
    rotation: Rotation | None = None
    is_still_accepted: bool = False

    @property
    def has_anything_to_show(self) -> bool:
        """Whether there is a status to show."""
        return self.block is not None or self.is_revoked or self.is_rotating or self.is_contradicted

    @property
    def is_revoked(self) -> bool:
        """Whether it was revoked, or reported as revoked and not accepted since."""
        return self.rotation is not None and self.rotation.revoked_at is not None and not self.is_still_accepted

    @property
    def is_contradicted(self) -> bool:
        """Whether Hoursmith still accepts it after its reported revocation."""
        return self.rotation is not None and self.rotation.revoked_at is not None and self.is_still_accepted

    @property
    def is_only_reported(self) -> bool:
        """Whether a member reported the revocation; the console did not revoke it."""
        return self.rotation is not None and self.rotation.is_revocation_reported

    @property
    def is_rotating(self) -> bool:
        return self.rotation is not None and self.rotation.ended_at is None

    @property
    def is_revocation_requested(self) -> bool:
        """Whether the rotation in progress only revokes the token."""
        return self.is_rotating and self.rotation is not None and self.rotation.ends_without_new_token

    @property
    def new_token(self) -> str:
        """The new token up to its prefix; empty if there is none."""
        rotation = self.rotation
        return f"hsk_{rotation.new_env}_{rotation.new_prefix}" if rotation and rotation.new_prefix else ""


def token_statuses(viewer: Viewer, rows: Iterable[TokenIdentity]) -> Mapping[TokenRef, TokenStatus]:
    """Return the status of the token of each of `rows`, in two queries."""
    keys = {ref_of(row) for row in rows}
    prefixes = [prefix for _, prefix in keys]
    blocks = TokenBlock.objects.filter(prefix__in=prefixes, org_id=viewer.org_id, lifted_at=None)
    blocked = {ref_of(block): block for block in blocks}
    states: dict[TokenRef, TokenStatus] = {}
    # Open rotations come last, the newest of them at the end, and win.
    for rotation in sorted(
        Rotation.objects.visible_to(viewer)
        .with_contradiction()
        .filter(prefix__in=prefixes)
        .select_related("campaign")
        .order_by(),
        key=lambda each: (not each.ended_at, each.requested_at),
    ):
        key = ref_of(rotation)
        states[key] = TokenStatus(blocked.get(key), rotation, rotation.is_contradicted)
    return {key: states.get(key) or TokenStatus(blocked.get(key)) for key in keys}
