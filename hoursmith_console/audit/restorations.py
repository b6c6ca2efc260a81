"""Read from the audit log which destroyed records were restored, and when."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from mcpbridge.models import AuditEvent, AuditPhase, Result

START, END, RESOLVED = "console.restore_start", "console.restore", "console.restore_resolve"


@dataclass(frozen=True, slots=True)
class Restoration:
    """The last entry about the restore of one destructive call."""

    entry: AuditEvent

    @property
    def is_done(self) -> bool:
        """Whether the record came back."""
        return self.entry.tool != START and self.entry.result == Result.SUCCEEDED

    @property
    def is_uncertain(self) -> bool:
        """Whether it may have come back: the restore is in progress, or its outcome is unknown."""
        return self.entry.tool == START or self.entry.result == Result.UNKNOWN

    @property
    def record_id(self) -> str:
        """The id of the record that came back; empty if it is not known."""
        return str(self.entry.arguments.get("record", ""))

    @property
    def is_new_record(self) -> bool:
        """Whether the record has another id than before."""
        return bool(self.record_id) and self.record_id != self.entry.target_id


def restorations(intents: Iterable[AuditEvent]) -> dict[UUID, Restoration]:
    """Return the restorations of the calls of `intents`, by call, in one query; none of those that changed nothing."""
    calls = {str(intent.call_id): intent for intent in intents if intent.target_id}
    if not calls:
        return {}
    entries = AuditEvent.objects.filter(
        # SQLite uses the index of targets only where the query repeats its condition.
        target_id__gt="",
        target_id__in={intent.target_id for intent in calls.values()},
        org_id__in={intent.org_id for intent in calls.values()},
        phase=AuditPhase.EVENT,
        tool__in=(START, END, RESOLVED),
    ).order_by("sequence")
    found: dict[UUID, Restoration] = {}
    for entry in entries:
        intent = calls.get(str(entry.arguments.get("call", "")))
        if intent is not None:
            found[intent.call_id] = Restoration(entry)
    return {call_id: each for call_id, each in found.items() if each.is_done or each.is_uncertain}
