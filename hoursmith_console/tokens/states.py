"""How tokens stand: in use, blocked at the bridge, being replaced, retired with or without a successor."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hoursmith_console.rotation.models import Rotation
from hoursmith_console.tokens.cards import Key, key_of
from hoursmith_console.workspaces.visibility import Viewer
from mcpbridge.models import TokenBlock, TokenIdentity


@dataclass(frozen=True, slots=True)
class TokenState:
    """`rotation` is the one under way, or else the last."""

    block: TokenBlock | None = None
    rotation: Rotation | None = None

    @property
    def is_worth_a_word(self) -> bool:
        """Whether anything is to be said of it."""
        return self.block is not None or self.is_retired or self.is_being_replaced

    @property
    def is_retired(self) -> bool:
        """Whether it was revoked, as far as this console knows."""
        return self.rotation is not None and self.rotation.revoked_at is not None

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
    rotations: dict[Key, Rotation] = {}
    # The newest that is under way comes last, and stays.
    for rotation in sorted(
        viewer.rotations().filter(prefix__in=prefixes).order_by(), key=lambda each: (not each.ended_at, each.asked_at)
    ):
        rotations[key_of(rotation)] = rotation
    return {key: TokenState(blocked.get(key), rotations.get(key)) for key in keys}
