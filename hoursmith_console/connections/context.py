"""Gathers what the pages of one connection show. What is not in the viewer's sight is not found."""

from dataclasses import dataclass
from typing import Any, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from hoursmith_console.connections.catalogue.mcp_client import Access, Client
from hoursmith_console.connections.catalogue.pages import ClientSetup, client_setup
from hoursmith_console.connections.models import Connection
from hoursmith_console.connections.services import connection_url
from hoursmith_console.connections.status import Standing, standings
from hoursmith_console.tokens.labels import TokenLabel, ref_of, token_labels
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.querysets import visible_rows
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.models import ToolCall

STEPS = (
    ("client", "Choose the client"),
    ("name", "Name and access"),
    ("token", "Token"),
    ("setup", "Configure"),
    ("ask", "Ask it something"),
)


@dataclass(frozen=True, slots=True)
class RailStep:
    """One step on the rail: `state` is done, now or later; an address where one may go there."""

    title: str
    state: str
    address: str


def found_connection(request: ConsoleRequest, slug: str) -> Connection:
    """The connection `slug`, or 404."""
    return get_object_or_404(
        Connection.objects.visible_to(request.viewer).select_related("owner", "workspace"), slug=slug
    )


def owns(viewer: Viewer, connection: Connection) -> bool:
    """Whether it is the viewer's own."""
    return connection.owner_id == viewer.member.pk


def standing_now(viewer: Viewer, connection: Connection) -> Standing:
    """How the connection stands at this instant, as far as the viewer may see it."""
    return standings(viewer, [connection], now=timezone.now())[0]


def rail(now: str, connection: Connection | None = None) -> list[RailStep]:
    """The rail with the step `now`; the steps of a connection that exists can be gone to."""
    keys = [key for key, _ in STEPS]
    place = keys.index(now)
    return [
        RailStep(
            title,
            "done" if index < place else "now" if index == place else "later",
            reverse(f"console:connections:{key}", args=[connection.slug]) if connection and index >= 2 else "",
        )
        for index, (key, title) in enumerate(STEPS)
    ]


def setup_of(
    standing: Standing, *, client: Client | None = None, prefix: str = "", token: str | None = None
) -> ClientSetup | None:
    """How its client, or another, is set up for it; None for a client that the catalogue no longer lists.

    Give `token` only in the one answer that shows it.
    """
    client = client or standing.client
    if client is None:
        return None
    connection = standing.connection
    return client_setup(
        client,
        url=connection_url(connection),
        prefix=prefix or newest_prefix(standing) or None,
        access=cast(Access, connection.access),
        token=token,
    )


def newest_prefix(standing: Standing) -> str:
    """The public part of the token that the client should hold: the newest, else the one it uses."""
    connection = standing.connection
    newest = TokenClaim.objects.filter(member_id=connection.owner_id, claimed_at__gte=connection.created_at).first()
    return newest.prefix if newest else standing.seen.prefix


def token_card_of(viewer: Viewer, standing: Standing) -> TokenLabel | None:
    """The token now in use, as the viewer may see it."""
    if not standing.seen.prefix:
        return None
    return token_labels(viewer, [standing.seen])[ref_of(standing.seen)]


def calls_of(viewer: Viewer, slug: str) -> QuerySet[ToolCall]:
    """The calls at the connection's address that the viewer may see, newest first."""
    # Said twice, since the index holds only calls that came over a connection.
    return visible_rows(viewer, ToolCall.objects.filter(connection__gt="", connection=slug))


def evidence_context(viewer: Viewer, standing: Standing, *, place: str = "") -> dict[str, Any]:
    """What `connections/_evidence.html` needs, alone or on a page: `place` is setup, ask, doctor, or any other."""
    return {
        "standing": standing,
        "connection": standing.connection,
        "place": place if place in ("setup", "ask", "doctor") else "",
        "evidence_card": token_card_of(viewer, standing),
        "evidence_address": reverse("console:connections:evidence", args=[standing.connection.slug]),
    }


def rotation_address(card: TokenLabel | None) -> str:
    """Where the token now in use is rotated; empty where it cannot be."""
    if card is None or card.page is None:
        return ""
    try:
        return reverse("console:rotations:new") + f"?token={card.env}_{card.prefix}"
    except NoReverseMatch:
        return ""
