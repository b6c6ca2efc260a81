"""Collect what proves an audit entry: its hashes, and the checkpoint that covers it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery

from mcpbridge.audit.hashchain import canonical, facts, row_hash
from mcpbridge.models import AuditEvent, AuditPhase, SigningHead

PHASE_TITLES = {
    AuditPhase.INTENT: "Intent",
    AuditPhase.OUTCOME: "Outcome",
    AuditPhase.UNKNOWN: "Outcome unknown",
    AuditPhase.RESOLUTION: "Resolution",
    AuditPhase.EVENT: "Event",
}


@dataclass(frozen=True, slots=True)
class EntryProof:
    """One entry and its proof. `head` is the first checkpoint at or after it, None until one is signed."""

    row: AuditEvent
    head: SigningHead | None

    @property
    def title(self) -> str:
        """The entry's phase as a heading."""
        return PHASE_TITLES[AuditPhase(self.row.phase)]

    @property
    def facts(self) -> dict[str, Any]:
        """The data that the hash covers."""
        return facts(_columns(self.row))

    @property
    def is_sound(self) -> bool:
        """Whether the hash matches the data. The verifier checks the chain around the entry."""
        try:
            return row_hash(canonical(self.facts), self.row.previous_hash) == self.row.hash
        except ValueError:
            # Data or a hash that the writer cannot have written.
            return False


def entry_proofs(org_id: str, call_id: UUID) -> list[EntryProof]:
    """Return the entries of one call or event with their checkpoints, by sequence, in two queries."""
    heads = SigningHead.objects.filter(org_id=org_id, sequence__gte=OuterRef("sequence")).order_by("sequence", "id")
    rows = list(
        AuditEvent.objects.filter(org_id=org_id, call_id=call_id)
        .annotate(head_id=Subquery(heads.values("pk")[:1]))
        .order_by("sequence")
    )
    known: Mapping[int, SigningHead] = SigningHead.objects.in_bulk(_head_ids(rows))
    return [EntryProof(row, known.get(getattr(row, "head_id", None) or 0)) for row in rows]


def _head_ids(rows: Iterable[AuditEvent]) -> set[int]:
    return {head_id for row in rows if (head_id := getattr(row, "head_id", None)) is not None}


def _columns(row: AuditEvent) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in AuditEvent._meta.concrete_fields}
