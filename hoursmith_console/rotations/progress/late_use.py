"""Find the client that last tried a token after its rotation revoked it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hoursmith_console.connections.models import Connection
from hoursmith_console.rotations.models import Rotation
from hoursmith_console.tokens.labels import ref_of
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import RejectedCredential, TokenRef


@dataclass(frozen=True, slots=True)
class LastLateUse:
    """Label of the client that last tried a revoked token, and the rotation of that token."""

    rotation: Rotation
    label: str


def last_late_uses(viewer: Viewer, keys: Iterable[TokenRef]) -> Mapping[TokenRef, LastLateUse]:
    """Return the last late use of each revoked token among `keys` that the viewer may see, in three queries."""
    prefixes = [prefix for _, prefix in keys]
    revoked = (
        Rotation.objects.visible_to(viewer)
        .filter(prefix__in=prefixes)
        .exclude(revoked_at=None)
        .order_by("requested_at", "pk")
    )
    rotations = {ref_of(rotation): rotation for rotation in revoked}
    if not rotations:
        return {}
    attempts: dict[TokenRef, RejectedCredential] = {}
    rejected = RejectedCredential.objects.filter(prefix__in=prefixes, matches_token=True)
    for row in rejected.order_by("last_at", "pk"):
        rotation = rotations.get(TokenRef(row.env, row.prefix))
        if rotation is not None and rotation.revoked_at is not None and row.last_at > rotation.revoked_at:
            attempts[TokenRef(row.env, row.prefix)] = row
    slugs = [row.connection for row in attempts.values() if row.connection]
    labels = dict(Connection.objects.visible_to(viewer).filter(slug__in=slugs).values_list("slug", "label"))
    return {
        key: LastLateUse(rotations[key], labels.get(row.connection) or row.client_name or "Unnamed client")
        for key, row in attempts.items()
    }
