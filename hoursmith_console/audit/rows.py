"""Rows of the audit log list."""

from collections.abc import Iterable
from dataclasses import dataclass

from hoursmith_console.audit.calls import DestructiveCall, with_outcomes
from hoursmith_console.audit.descriptions import EventDescription, describe_event
from hoursmith_console.audit.restorations import Restoration, restorations
from hoursmith_console.tokens.labels import TokenLabel, ref_of, token_labels
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import AuditEvent, AuditPhase


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One destructive call with its token, or one console action."""

    call: DestructiveCall | None
    card: TokenLabel | None
    event: EventDescription | None = None
    restoration: Restoration | None = None

    @property
    def key(self) -> str:
        """The id of the call or event."""
        return str(self.call.intent.call_id if self.call else self.event.row.call_id if self.event else "")

    @property
    def is_open(self) -> bool:
        """Whether the outcome may still be recorded."""
        return self.call is not None and self.call.outcome is None and self.call.resolution is None


def audit_rows(viewer: Viewer, rows: Iterable[AuditEvent]) -> list[AuditRow]:
    """Join intents with their outcomes and tokens, and describe events, in the order of `rows`."""
    found = list(rows)
    calls = {call.intent.pk: call for call in with_outcomes(row for row in found if row.phase == AuditPhase.INTENT)}
    cards = token_labels(viewer, [call.intent for call in calls.values()])
    restored = restorations(call.intent for call in calls.values() if call.is_restorable)
    return [
        AuditRow(calls[row.pk], cards[ref_of(row)], restoration=restored.get(row.call_id))
        if row.pk in calls
        else AuditRow(None, None, describe_event(row))
        for row in found
    ]
