"""How a connection stands, from what the bridge saw of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models

from hoursmith_console.connections.catalogue import CLIENTS, Client
from hoursmith_console.connections.diagnostics.causes import OTHER_MEMBER, Trouble, trouble_of
from hoursmith_console.connections.models import Connection
from hoursmith_console.tokens.labels import ref_of, token_owners
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ObservedConnection

SILENT_AFTER = timedelta(days=7)


class State(models.TextChoices):
    """What a person wants to know of a connection at a glance."""

    WAITING = "waiting", "Waiting for the first call"
    WORKING = "working", "Working"
    SILENT = "silent", "Silent"
    FAILING = "failing", "Failing"


@dataclass(frozen=True, slots=True)
class Standing:
    """A connection at one instant. `seen` is the bridge's row of it."""

    connection: Connection
    seen: ObservedConnection
    state: State
    days: int
    trouble: Trouble | None

    @property
    def client(self) -> Client | None:
        """What the catalogue knows of its client; None for one that it no longer lists."""
        return CLIENTS.get(self.connection.client)

    @property
    def client_title(self) -> str:
        """What its client is called."""
        return self.client.title if self.client else self.connection.client

    @property
    def label(self) -> str:
        """The state in words."""
        if self.state is State.SILENT:
            return f"Silent for {self.days} days"
        return str(self.state.label)

    @property
    def has_called(self) -> bool:
        """Whether a tool was called at its address with a token of the workspace."""
        return self.seen.called_at is not None

    @property
    def is_settled(self) -> bool:
        """Whether nobody needs to wait any longer: it called, and nothing has gone wrong since."""
        return self.has_called and self.trouble is None

    @property
    def mark(self) -> str:
        """Tells one standing from the next, for whoever keeps looking."""
        instants = (self.seen.last_seen_at, self.seen.called_at, self.seen.fault_at)
        return "_".join(f"{at.timestamp():.3f}" if at else "0" for at in instants)


def standing_of(connection: Connection, seen: ObservedConnection | None, *, now: datetime) -> Standing:
    """How `connection` stands at `now`; `seen` None where the bridge has no row of it."""
    seen = seen or ObservedConnection(slug=connection.slug)
    last = seen.last_seen_at
    trouble = None
    if seen.fault and seen.fault_at and (last is None or seen.fault_at > last):
        trouble = trouble_of(seen.fault, CLIENTS.get(connection.client))
    days = (now - last).days if last else 0
    if trouble is not None:
        state = State.FAILING
    elif seen.called_at is None:
        state = State.WAITING
    elif last is not None and now - last >= SILENT_AFTER:
        state = State.SILENT
    else:
        state = State.WORKING
    return Standing(connection, seen, state, days, trouble)


def standings(viewer: Viewer, connections: list[Connection], *, now: datetime) -> list[Standing]:
    """How each of `connections` stands as far as `viewer` may see it, in two queries."""
    rows = ObservedConnection.objects.filter(slug__in=[each.slug for each in connections], org_id=viewer.org_id)
    seen = {row.slug: row for row in in_sight(viewer, rows.order_by())}
    return [standing_of(each, seen.get(each.slug), now=now) for each in connections]


def in_sight(viewer: Viewer, rows: Iterable[ObservedConnection]) -> list[ObservedConnection]:
    """Return `rows` without the calls of tokens known as another member's, unless `viewer` reviews the workspace.

    The id in a connection's address is no secret: whoever uses it leaves what they call on it.
    """
    found = list(rows)
    if viewer.member.sees_workspace:
        return found
    owners = token_owners(viewer, [row.prefix for row in found if row.prefix])
    return [row if owners.get(ref_of(row), viewer.member).pk == viewer.member.pk else _cut(row) for row in found]


def _cut(row: ObservedConnection) -> ObservedConnection:
    return ObservedConnection(slug=row.slug, org_id=row.org_id, fault=OTHER_MEMBER, fault_at=row.last_seen_at)
