"""The evidence of one rotation: the entries of its steps in the audit log."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from hoursmith_console.audit.evidence.scopes import Scope
from hoursmith_console.rotations.models import Rotation
from mcpbridge.audit.export.source import Selection
from mcpbridge.models import AuditEvent, AuditPhase

# The entry of the request is written just after the rotation.
_BEFORE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _OfRotation:
    """Narrow entries to those of one rotation, by an index on the token that they name."""

    key: int
    prefix: str
    since: datetime

    def __call__(self, rows: "QuerySet[AuditEvent]") -> "QuerySet[AuditEvent]":
        steps = rows.filter(
            phase=AuditPhase.EVENT, target_id__gt="", target_id=self.prefix, recorded_at__gte=self.since
        )
        return steps.filter(tool__startswith="console.rotation_", arguments__rotation=self.key)


def scope_of_rotation(rotation: Rotation) -> Scope:
    """Return the entries of the steps of `rotation`."""
    narrow = _OfRotation(rotation.pk, rotation.prefix, rotation.requested_at - _BEFORE)
    return Scope(
        title=f"rotation of {rotation.token_name or rotation.masked_token}",
        plain_title=f"rotation of {rotation.masked_token}",
        name=f"evidence-rotation-{rotation.pk}",
        selection=Selection(
            workspace=rotation.org_id,
            narrow=narrow,
            also=(("rotation", str(rotation.pk)), ("target_id", rotation.prefix)),
        ),
        page=rotation.get_absolute_url(),
        label="Rotation",
    )
