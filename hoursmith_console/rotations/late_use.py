"""Names who still late_uses with a token that a rotation has revoked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hoursmith_console.connections.models import Connection
from hoursmith_console.rotations.models import Rotation
from hoursmith_console.tokens.labels import Key, key_of
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import RejectedCredential


@dataclass(frozen=True, slots=True)
class LastLateUse:
    """Who tried the old token last since it was revoked, and the rotation that says what to do about it."""

    rotation: Rotation
    label: str


def last_late_uses(viewer: Viewer, keys: Iterable[Key]) -> Mapping[Key, LastLateUse]:
    """The last knocker of each token among `keys` that was revoked in the viewer's sight, in three queries."""
    prefixes = [prefix for _, prefix in keys]
    revoked = (
        Rotation.objects.visible_to(viewer)
        .filter(prefix__in=prefixes)
        .exclude(revoked_at=None)
        .order_by("requested_at", "pk")
    )
    rotations = {key_of(rotation): rotation for rotation in revoked}
    if not rotations:
        return {}
    attempts: dict[Key, RejectedCredential] = {}
    rejected = RejectedCredential.objects.filter(prefix__in=prefixes, matches_token=True)
    for row in rejected.order_by("last_at", "pk"):
        rotation = rotations.get((row.env, row.prefix))
        if rotation is not None and rotation.revoked_at is not None and row.last_at > rotation.revoked_at:
            attempts[row.env, row.prefix] = row
    slugs = [row.connection for row in attempts.values() if row.connection]
    labels = dict(Connection.objects.visible_to(viewer).filter(slug__in=slugs).values_list("slug", "label"))
    return {
        key: LastLateUse(rotations[key], labels.get(row.connection) or row.client_name or "Somebody")
        for key, row in attempts.items()
    }
