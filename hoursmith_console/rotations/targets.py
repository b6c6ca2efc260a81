"""Finds out which assistants use a token, and so must get its successor."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from hoursmith_console.connections.catalogue import client_kind_of
from hoursmith_console.connections.models import Connection
from hoursmith_console.rotations.models import Rotation, RotationPlace
from mcpbridge.models import SeenClient, SeenConnection

# Who has not called for so long gets no place of their own; should they call again, they get one then.
STALE = timedelta(days=90)
PLACES_AT_MOST = 50


@dataclass(frozen=True, slots=True)
class Use:
    """An assistant with the old token: on a connection, or known by its name alone."""

    connection: str
    client_name: str
    last_used_at: datetime

    @property
    def key(self) -> tuple[str, str]:
        """What makes it one place: the connection where there is one, whatever the client calls itself."""
        return (self.connection, "") if self.connection else ("", self.client_name)


def places_open(rotation: Rotation) -> None:
    """Give `rotation` a place for each assistant that used its token lately."""
    places_add(rotation, [use for use in uses_of(rotation) if use.last_used_at > timezone.now() - STALE])


def places_add(rotation: Rotation, uses: Iterable[Use]) -> None:
    """Give `rotation` a place for each of `uses` that has none yet, up to a bound that no real token reaches."""
    known = {place_key(place) for place in rotation.places.all()}
    latest: dict[tuple[str, str], Use] = {}
    for use in sorted(uses, key=lambda each: each.last_used_at):
        latest[use.key] = use
    fresh = [use for key, use in latest.items() if key not in known][: max(0, PLACES_AT_MOST - len(known))]
    connections = _connections(rotation, [use.connection for use in fresh])
    for use in fresh:
        connection = connections.get(use.connection)
        RotationPlace.objects.get_or_create(
            rotation=rotation,
            connection=use.connection,
            client_name="" if use.connection else use.client_name,
            defaults={
                "client": connection.client if connection else client_kind_of(use.client_name),
                "label": connection.label if connection else use.client_name or "An assistant without a name",
                "last_used_at": use.last_used_at,
            },
        )


def uses_of(rotation: Rotation) -> list[Use]:
    """Every assistant that was ever seen with the token of `rotation`."""
    called = SeenClient.objects.filter(
        token__env=rotation.env, token__prefix=rotation.prefix, token__org_id=rotation.org_id
    )
    found = [Use(*row) for row in called.order_by().values_list("connection", "name", "last_seen_at")]
    greeted = SeenConnection.objects.filter(env=rotation.env, prefix=rotation.prefix, org_id=rotation.org_id)
    rows = greeted.order_by().values_list("slug", "client_name", "last_seen_at")
    return [*found, *(Use(slug, name, at) for slug, name, at in rows if at is not None)]


def place_key(place: RotationPlace) -> tuple[str, str]:
    """What `Use.key` is of the same assistant."""
    return (place.connection, "") if place.connection else ("", place.client_name)


def _connections(rotation: Rotation, slugs: Iterable[str]) -> dict[str, Connection]:
    known = Connection.objects.filter(slug__in=[slug for slug in slugs if slug], workspace=rotation.workspace_id)
    return {connection.slug: connection for connection in known if may_name(rotation, connection)}


def may_name(rotation: Rotation, connection: Connection) -> bool:
    """Whether the rotation calls an assistant by its connection: one of its owner's, or of any they may see.

    The id in a connection's address is no secret; whoever calls at a teammate's does not learn what it is called.
    """
    owner = rotation.owner
    is_ours = connection.workspace_id == rotation.workspace_id
    return is_ours and (owner is None or owner.sees_workspace or connection.owner_id == owner.pk)
