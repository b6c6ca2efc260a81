"""What a bulk action would do: each token with its owner, its assistants and the reason why it cannot be done."""

from collections.abc import Sequence
from dataclasses import dataclass

from hoursmith_console.token_inventory.bulk.obstacles import Obstacle, obstacle
from hoursmith_console.token_inventory.models import BulkAction
from hoursmith_console.token_inventory.rows import clients_of
from hoursmith_console.token_inventory.status import TokenStatus, token_statuses
from hoursmith_console.tokens.labels import TokenLabel, ref_of, token_labels
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ObservedToken

MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One selected token. `assistants` are names, most recent first."""

    token: ObservedToken
    card: TokenLabel
    state: TokenStatus
    assistants: list[str]
    obstacle: Obstacle | None


@dataclass(frozen=True, slots=True)
class Preview:
    """The tokens that the action would be done to, and those that it cannot be done to; the first of each as rows."""

    tokens: Sequence[ObservedToken]
    possible: Sequence[PreviewRow]
    impossible: Sequence[PreviewRow]
    impossible_count: int
    unowned_count: int
    owner_count: int
    blocked_count: int

    @property
    def more_possible(self) -> int:
        """Number of tokens without a row."""
        return len(self.tokens) - len(self.possible)

    @property
    def more_impossible(self) -> int:
        """Number of tokens without a row, among those that it cannot be done to."""
        return self.impossible_count - len(self.impossible)


def preview_of(viewer: Viewer, action: BulkAction, tokens: Sequence[ObservedToken]) -> Preview:
    """Return what `action` would do to `tokens`, in a constant number of queries."""
    cards, states = token_labels(viewer, tokens), token_statuses(viewer, tokens)
    obstacles = {
        token.pk: obstacle(action, member=viewer.member, owner=cards[ref_of(token)].owner, status=states[ref_of(token)])
        for token in tokens
    }
    possible = [token for token in tokens if obstacles[token.pk] is None]
    impossible = [token for token in tokens if obstacles[token.pk] is not None]
    shown = [*possible[:MOST_SHOWN], *impossible[:MOST_SHOWN]]
    clients = clients_of(shown)
    rows = [
        PreviewRow(
            token=token,
            card=cards[ref_of(token)],
            state=states[ref_of(token)],
            assistants=list(dict.fromkeys(client.name for client in clients[token.pk] if client.name)),
            obstacle=obstacles[token.pk],
        )
        for token in shown
    ]
    owners = [cards[ref_of(token)].owner for token in possible]
    return Preview(
        tokens=possible,
        possible=[row for row in rows if row.obstacle is None],
        impossible=[row for row in rows if row.obstacle is not None],
        impossible_count=len(impossible),
        unowned_count=owners.count(None),
        owner_count=len({owner.pk for owner in owners if owner is not None}),
        blocked_count=sum(states[ref_of(token)].block is not None for token in possible),
    )
