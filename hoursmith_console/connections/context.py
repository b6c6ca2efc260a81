"""Template context of the connection pages. Connections the member may not see raise Http404."""

from dataclasses import dataclass
from typing import Any, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from hoursmith_console.connections.catalogue.mcp_client import Access, McpClient
from hoursmith_console.connections.catalogue.pages import ClientSetup, client_setup
from hoursmith_console.connections.models import Connection
from hoursmith_console.connections.services import connection_url
from hoursmith_console.connections.status import ConnectionStatus, connection_statuses
from hoursmith_console.tokens.labels import TokenLabel, ref_of, token_labels
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.querysets import visible_rows
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.models import ToolCall

STEPS = (
    ("client", "Choose an assistant"),
    ("name", "Name and permissions"),
    ("token", "Token"),
    ("setup", "Configure"),
    ("ask", "Try a prompt"),
)


@dataclass(frozen=True, slots=True)
class WizardStep:
    """One step of the setup wizard: `state` is done, now or later; `address` is empty if it cannot be opened."""

    title: str
    state: str
    address: str


def get_connection_or_404(request: ConsoleRequest, slug: str) -> Connection:
    """Return the connection `slug`; raise Http404 if the member may not see it."""
    return get_object_or_404(
        Connection.objects.visible_to(request.viewer).select_related("owner", "workspace"), slug=slug
    )


def is_owner(viewer: Viewer, connection: Connection) -> bool:
    """Whether the connection is the viewer's own."""
    return connection.owner_id == viewer.member.pk


def current_status(viewer: Viewer, connection: Connection) -> ConnectionStatus:
    """Return the connection's current status, as far as the viewer may see it."""
    return connection_statuses(viewer, [connection], now=timezone.now())[0]


def wizard_steps(now: str, connection: Connection | None = None) -> list[WizardStep]:
    """Return the wizard's steps with `now` as the current one; steps of an existing connection can be opened."""
    keys = [key for key, _ in STEPS]
    place = keys.index(now)
    return [
        WizardStep(
            title,
            "done" if index < place else "now" if index == place else "later",
            reverse(f"console:connections:{key}", args=[connection.slug]) if connection and index >= 2 else "",
        )
        for index, (key, title) in enumerate(STEPS)
    ]


def setup_for(
    connection_status: ConnectionStatus, *, client: McpClient | None = None, prefix: str = "", token: str | None = None
) -> ClientSetup | None:
    """Return setup instructions for the connection's client or another; None if the catalogue lacks the client.

    Pass `token` only for the one response that shows it.
    """
    client = client or connection_status.client
    if client is None:
        return None
    connection = connection_status.connection
    return client_setup(
        client,
        url=connection_url(connection),
        prefix=prefix or newest_prefix(connection_status) or None,
        access=cast(Access, connection.access),
        token=token,
    )


def newest_prefix(connection_status: ConnectionStatus) -> str:
    """Return the prefix of the token that the client should use: the owner's newest, else the one in use."""
    connection = connection_status.connection
    newest = TokenClaim.objects.filter(member_id=connection.owner_id, claimed_at__gte=connection.created_at).first()
    return newest.prefix if newest else connection_status.seen.prefix


def token_label_of(viewer: Viewer, connection_status: ConnectionStatus) -> TokenLabel | None:
    """Return the token in use, as far as the viewer may see it."""
    if not connection_status.seen.prefix:
        return None
    return token_labels(viewer, [connection_status.seen])[ref_of(connection_status.seen)]


def calls_over(viewer: Viewer, slug: str) -> QuerySet[ToolCall]:
    """Return the calls over the connection that the viewer may see, newest first."""
    # The first condition matches the partial index of calls over connections.
    return visible_rows(viewer, ToolCall.objects.filter(connection__gt="", connection=slug))


def evidence_context(viewer: Viewer, connection_status: ConnectionStatus, *, place: str = "") -> dict[str, Any]:
    """Return the context of `connections/_evidence.html`; `place` is the page: setup, ask, troubleshoot or other."""
    return {
        "connection_status": connection_status,
        "connection": connection_status.connection,
        "place": place if place in ("setup", "ask", "troubleshoot") else "",
        "evidence_card": token_label_of(viewer, connection_status),
        "evidence_address": reverse("console:connections:evidence", args=[connection_status.connection.slug]),
    }


@dataclass(frozen=True, slots=True)
class ConnectionVerbs:
    """What the viewer may do with a connection. `token` addresses the token in use if they may block and rotate it."""

    edit: bool
    remove: bool
    token: str


def verbs_for(viewer: Viewer, connection: Connection, card: TokenLabel | None) -> ConnectionVerbs:
    """Return what `viewer` may do with `connection`, whose token in use is `card`. Auditors change nothing."""
    member = viewer.member
    can_write = connection.removed_at is None and not member.is_auditor
    is_own = is_owner(viewer, connection)
    may_rotate = card is not None and card.page is not None and (member.administers or card.owner == member)
    return ConnectionVerbs(
        edit=can_write and is_own,
        remove=can_write and (is_own or member.administers),
        token=f"{card.env}_{card.prefix}" if card is not None and can_write and may_rotate else "",
    )
