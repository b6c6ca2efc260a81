"""What proves a row of the record: its place in the chain, and the checkpoint that vouches for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery

from mcpbridge.audit.hashchain import canonical, facts, row_hash
from mcpbridge.models import AuditEvent, Phase, SigningHead

PARTS = {
    Phase.INTENT: "Intent",
    Phase.OUTCOME: "Outcome",
    Phase.UNKNOWN: "No outcome came",
    Phase.RESOLUTION: "Resolution",
    Phase.EVENT: "Event",
}


@dataclass(frozen=True, slots=True)
class Proof:
    """One row, and what speaks for it. `head` is the first checkpoint at or behind it, None before there is one."""

    row: AuditEvent
    head: SigningHead | None

    @property
    def part(self) -> str:
        """Which part of the story the row tells."""
        return PARTS[Phase(self.row.phase)]

    @property
    def facts(self) -> dict[str, Any]:
        """What the row's hash covers."""
        return facts(_columns(self.row))

    @property
    def is_sound(self) -> bool:
        """Whether the hash is that of the facts. What stands before and behind the row is the verifier's to check."""
        try:
            return row_hash(canonical(self.facts), self.row.previous_hash) == self.row.hash
        except ValueError:
            # Facts or a hash that the writer never wrote.
            return False


def proofs(org_id: str, call_id: UUID) -> list[Proof]:
    """The rows of one call or event with their checkpoints, in the chain's order, in two queries."""
    heads = SigningHead.objects.filter(org_id=org_id, sequence__gte=OuterRef("sequence")).order_by("sequence", "id")
    rows = list(
        AuditEvent.objects.filter(org_id=org_id, call_id=call_id)
        .annotate(head_id=Subquery(heads.values("pk")[:1]))
        .order_by("sequence")
    )
    known: Mapping[int, SigningHead] = SigningHead.objects.in_bulk(_head_ids(rows))
    return [Proof(row, known.get(getattr(row, "head_id", None) or 0)) for row in rows]


def _head_ids(rows: Iterable[AuditEvent]) -> set[int]:
    return {head_id for row in rows if (head_id := getattr(row, "head_id", None)) is not None}


def _columns(row: AuditEvent) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in AuditEvent._meta.concrete_fields}
