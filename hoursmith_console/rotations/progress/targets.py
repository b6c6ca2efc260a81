"""Find the assistants that use a token and must switch to the new one."""

from collections.abc import Iterable
from datetime import timedelta

from django.utils import timezone

from hoursmith_console.connections.catalogue import identify_client
from hoursmith_console.connections.grants.labels import grant_label
from hoursmith_console.connections.models import Connection
from hoursmith_console.rotations.models import Rotation, RotationTarget
from hoursmith_console.rotations.progress.grants import old_grants, with_grants
from hoursmith_console.rotations.progress.uses import TokenUse
from mcpbridge.models import ObservedClient, ObservedConnection

# Assistants that have not called for this long are not listed, unless they call again.
STALE = timedelta(days=90)
MAX_TARGETS = 50


def create_targets(rotation: Rotation) -> None:
    """Create a target for each assistant that recently used the old token."""
    add_targets(rotation, [use for use in token_uses(rotation) if use.last_used_at > timezone.now() - STALE])


def add_targets(rotation: Rotation, uses: Iterable[TokenUse]) -> None:
    """Create a target for each of `uses` that has none yet, up to MAX_TARGETS in all."""
    known = {target_key(target) for target in rotation.targets.all()}
    latest: dict[tuple[str, str], TokenUse] = {}
    for use in sorted(uses, key=lambda each: each.last_used_at):
        latest[use.key] = use
    fresh = [use for key, use in latest.items() if key not in known][: max(0, MAX_TARGETS - len(known))]
    connections = _connections(rotation, [use.connection for use in fresh])
    grants = {grant.connection: grant for grant in old_grants(rotation)}
    for use in fresh:
        connection, grant = connections.get(use.connection), grants.get(use.connection)
        label = connection.label if connection else grant_label(grant) if grant else use.client_name
        RotationTarget.objects.get_or_create(
            rotation=rotation,
            connection=use.connection,
            client_name="" if use.connection else use.client_name,
            defaults={
                "client": connection.client if connection else identify_client(use.client_name),
                "label": label or "Unnamed assistant",
                "last_used_at": use.last_used_at,
            },
        )


def token_uses(rotation: Rotation) -> list[TokenUse]:
    """Return every observed use of the old token, one for each assistant and source."""
    called = ObservedClient.objects.filter(
        token__env=rotation.env, token__prefix=rotation.prefix, token__org_id=rotation.org_id
    )
    found = [TokenUse(*row) for row in called.order_by().values_list("connection", "name", "last_seen_at")]
    greeted = ObservedConnection.objects.filter(env=rotation.env, prefix=rotation.prefix, org_id=rotation.org_id)
    rows = greeted.order_by().values_list("slug", "client_name", "last_seen_at")
    found += [TokenUse(slug, name, at) for slug, name, at in rows if at is not None]
    return with_grants(found, old_grants(rotation))


def target_key(target: RotationTarget) -> tuple[str, str]:
    """Return the identity of the assistant, comparable to `TokenUse.key`."""
    return (target.connection, "") if target.connection else ("", target.client_name)


def _connections(rotation: Rotation, slugs: Iterable[str]) -> dict[str, Connection]:
    known = Connection.objects.filter(slug__in=[slug for slug in slugs if slug], workspace=rotation.workspace_id)
    return {connection.slug: connection for connection in known if can_name_connection(rotation, connection)}


def can_name_connection(rotation: Rotation, connection: Connection) -> bool:
    """Return whether the rotation may show the label of `connection`: only if its owner may see it.

    Connection IDs are not secret: calling at another member's address must not reveal its label.
    """
    owner = rotation.owner
    is_ours = connection.workspace_id == rotation.workspace_id
    return is_ours and (owner is None or owner.sees_workspace or connection.owner_id == owner.pk)
