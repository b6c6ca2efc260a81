"""How tokens stand: in use, blocked at the bridge, being replaced, retired with or without a successor."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hoursmith_console.rotations.models import Rotation
from hoursmith_console.tokens.labels import Key, key_of
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import TokenBlock, TokenIdentity


@dataclass(frozen=True, slots=True)
class TokenState:
    """`rotation` is the one under way, or else the last; `is_alive`: Hoursmith accepts the token that it revoked."""

    block: TokenBlock | None = None
    rotation: Rotation | None = None
    is_alive: bool = False

    @property
    def is_worth_a_word(self) -> bool:
        """Whether anything is to be said of it."""
        return self.block is not None or self.is_retired or self.is_being_replaced or self.is_contradicted

    @property
    def is_retired(self) -> bool:
        """Whether it was revoked, or said to be and not accepted since."""
        return self.rotation is not None and self.rotation.revoked_at is not None and not self.is_alive

    @property
    def is_contradicted(self) -> bool:
        """Whether it is still in use although it was said to be revoked."""
        return self.rotation is not None and self.rotation.revoked_at is not None and self.is_alive

    @property
    def is_only_said(self) -> bool:
        """Whether only a member's word says that it is revoked."""
        return self.rotation is not None and self.rotation.is_revocation_said

    @property
    def is_being_replaced(self) -> bool:
        return self.rotation is not None and self.rotation.ended_at is None

    @property
    def successor(self) -> str:
        """The public part of the token that replaced it, empty where none did."""
        rotation = self.rotation
        return f"hsk_{rotation.new_env}_{rotation.new_prefix}" if rotation and rotation.new_prefix else ""


def token_states(viewer: Viewer, rows: Iterable[TokenIdentity]) -> Mapping[Key, TokenState]:
    """The state of the token of each of `rows`, in two queries however many there are."""
    keys = {key_of(row) for row in rows}
    prefixes = [prefix for _, prefix in keys]
    blocks = TokenBlock.objects.filter(prefix__in=prefixes, org_id=viewer.org_id, lifted_at=None)
    blocked = {key_of(block): block for block in blocks}
    states: dict[Key, TokenState] = {}
    # The newest that is under way comes last, and stays.
    for rotation in sorted(
        viewer.rotations().with_evidence().filter(prefix__in=prefixes).order_by(),
        key=lambda each: (not each.ended_at, each.asked_at),
    ):
        key = key_of(rotation)
        states[key] = TokenState(blocked.get(key), rotation, rotation.is_contradicted)
    return {key: states.get(key) or TokenState(blocked.get(key)) for key in keys}
