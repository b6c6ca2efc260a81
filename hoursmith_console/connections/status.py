"""Status of a connection, from what the bridge observed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models

from hoursmith_console.connections.catalogue import MCP_CLIENTS, McpClient
from hoursmith_console.connections.diagnostics.causes import OTHER_MEMBER, Problem, problem_for
from hoursmith_console.connections.models import Connection
from hoursmith_console.tokens.blocks import BlockLabel, blocks_of
from hoursmith_console.tokens.labels import ref_of, token_owners
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ObservedConnection

SILENT_AFTER = timedelta(days=7)


class State(models.TextChoices):
    """State of a connection."""

    WAITING = "waiting", "Waiting for the first call"
    WORKING = "working", "Working"
    SILENT = "silent", "Inactive"
    FAILING = "failing", "Failing"
    BLOCKED = "blocked", "Token blocked"


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """The status of a connection at one instant. `seen` is what the bridge observed; `block` is of the token in use."""

    connection: Connection
    seen: ObservedConnection
    state: State
    days: int
    problem: Problem | None
    block: BlockLabel | None = None

    @property
    def client(self) -> McpClient | None:
        """The catalogue's entry of the client, None if it is not listed any more."""
        return MCP_CLIENTS.get(self.connection.client)

    @property
    def client_title(self) -> str:
        """The client's title."""
        return self.client.title if self.client else self.connection.client

    @property
    def label(self) -> str:
        """The state as a label."""
        if self.state is State.SILENT:
            return f"Inactive for {self.days} days"
        return str(self.state.label)

    @property
    def has_called(self) -> bool:
        """Whether a tool was called over the connection with a token of the workspace."""
        return self.seen.called_at is not None

    @property
    def is_settled(self) -> bool:
        """Whether the connection works: it has called, and no request was rejected since."""
        return self.has_called and self.problem is None and self.block is None

    @property
    def mark(self) -> str:
        """Changes whenever the status does, for polling."""
        blocked_at = self.block.blocked_at if self.block else None
        instants = (self.seen.last_seen_at, self.seen.called_at, self.seen.fault_at, blocked_at)
        return "_".join(f"{at.timestamp():.3f}" if at else "0" for at in instants)


def status_of(
    connection: Connection, seen: ObservedConnection | None, *, now: datetime, block: BlockLabel | None = None
) -> ConnectionStatus:
    """Return the status of `connection` at `now`; `seen` is None if the bridge has not observed it."""
    seen = seen or ObservedConnection(slug=connection.slug)
    last = seen.last_seen_at
    problem = None
    if seen.fault and seen.fault_at and (last is None or seen.fault_at > last):
        problem = problem_for(seen.fault, MCP_CLIENTS.get(connection.client))
    days = (now - last).days if last else 0
    if block is not None:
        state = State.BLOCKED
    elif problem is not None:
        state = State.FAILING
    elif seen.called_at is None:
        state = State.WAITING
    elif last is not None and now - last >= SILENT_AFTER:
        state = State.SILENT
    else:
        state = State.WORKING
    return ConnectionStatus(connection, seen, state, days, problem, block)


def connection_statuses(viewer: Viewer, connections: list[Connection], *, now: datetime) -> list[ConnectionStatus]:
    """Return the status of each of `connections` as far as `viewer` may see it, in three queries."""
    rows = ObservedConnection.objects.filter(slug__in=[each.slug for each in connections], org_id=viewer.org_id)
    seen = {row.slug: row for row in hide_other_members(viewer, rows.order_by())}
    refs = {slug: ref_of(row) for slug, row in seen.items() if row.prefix}
    blocks = blocks_of(viewer.org_id, refs.values())
    return [
        status_of(each, seen.get(each.slug), now=now, block=blocks.get(refs[each.slug]) if each.slug in refs else None)
        for each in connections
    ]


def hide_other_members(viewer: Viewer, rows: Iterable[ObservedConnection]) -> list[ObservedConnection]:
    """Return `rows` without the calls of tokens known as another member's, unless `viewer` reviews the workspace.

    The id in a connection's address is not secret, so other members' calls may use it.
    """
    found = list(rows)
    if viewer.member.sees_workspace:
        return found
    owners = token_owners(viewer, [row.prefix for row in found if row.prefix])
    return [row if owners.get(ref_of(row), viewer.member).pk == viewer.member.pk else _redacted(row) for row in found]


def _redacted(row: ObservedConnection) -> ObservedConnection:
    return ObservedConnection(slug=row.slug, org_id=row.org_id, fault=OTHER_MEMBER, fault_at=row.last_seen_at)
