"""The rows of the list of authorizations: each grant with its token, its last call and its state."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, TextChoices
from django.utils import timezone

from hoursmith_console.connections.grants.labels import grant_label
from hoursmith_console.tokens.labels import TokenLabel, ref_of, token_labels
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.grants.in_force import over_since
from mcpbridge.models import Grant, ObservedClient, TokenRef


class GrantState(TextChoices):
    """State of a grant."""

    WAITING = "waiting", "Waiting for the first call"
    WORKING = "working", "Active"
    BLOCKED = "blocked", "Token blocked"
    EXPIRED = "expired", "Expired"
    ENDED = "ended", "Ended"


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A grant, its token, and its last call: with this token, as this grant's connection."""

    grant: Grant
    card: TokenLabel
    called_at: datetime | None
    state: GrantState
    # What the viewer may do.
    may_end: bool
    may_rotate: bool

    @property
    def label(self) -> str:
        return grant_label(self.grant)

    @property
    def is_in_force(self) -> bool:
        """Whether the assistant may still use the grant, if its token allows."""
        return self.state not in (GrantState.EXPIRED, GrantState.ENDED)

    @property
    def over_at(self) -> datetime:
        """When it ended or expired."""
        return over_since(self.grant, timezone.now()) or self.grant.expires_at


def grant_rows(viewer: Viewer, grants: Sequence[Grant]) -> list[GrantRow]:
    """Return a row for each grant, with what `viewer` may do, in four queries."""
    cards, called, now = token_labels(viewer, grants), last_calls(grants), timezone.now()
    return [
        _row(viewer, grant, cards[ref_of(grant)], called.get((ref_of(grant), grant.connection)), now)
        for grant in grants
    ]


def last_calls(grants: Iterable[Grant]) -> Mapping[tuple[TokenRef, str], datetime]:
    """Return the last call by token and connection."""
    found = list(grants)
    clients = ObservedClient.objects.filter(
        token__prefix__in={grant.prefix for grant in found}, connection__in={grant.connection for grant in found}
    )
    rows = clients.order_by().values_list("token__env", "token__prefix", "connection").annotate(Max("last_seen_at"))
    return {(TokenRef(env, prefix), connection): at for env, prefix, connection, at in rows}


def _row(viewer: Viewer, grant: Grant, card: TokenLabel, called_at: datetime | None, now: datetime) -> GrantRow:
    if grant.ended_at is not None:
        state = GrantState.ENDED
    elif over_since(grant, now):
        state = GrantState.EXPIRED
    elif card.block is not None:
        state = GrantState.BLOCKED
    else:
        state = GrantState.WORKING if called_at else GrantState.WAITING
    is_over = state in (GrantState.ENDED, GrantState.EXPIRED)
    member = viewer.member
    # Owners and Admins decide about any, other members about their own.
    decides = not member.is_auditor and (member.administers or card.owner == member)
    return GrantRow(
        grant, card, called_at, state, may_end=decides and not is_over, may_rotate=decides and card.page is not None
    )
