"""Render what the evidence shows as a page for people: what happened, what is proved, what is withheld."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone

from hoursmith_console.audit.calls import DestructiveCall, join_call
from hoursmith_console.audit.descriptions import EventDescription, describe_event
from hoursmith_console.audit.evidence.members import LEFT_OUT
from hoursmith_console.audit.verification.proofs import PHASE_TITLES
from mcpbridge.models import AuditEvent, AuditPhase


@dataclass(frozen=True, slots=True)
class ReportItem:
    """One call or console action, with its entries; `call` is None where the intent is missing."""

    rows: Sequence[AuditEvent]
    call: DestructiveCall | None = None
    event: EventDescription | None = None
    entries: list[tuple[str, AuditEvent]] = field(default_factory=list)

    @property
    def first(self) -> AuditEvent:
        """The earliest of its entries."""
        return self.rows[0]

    @property
    def title(self) -> str:
        """What was done, without names."""
        if self.event:
            return self.event.title
        return self.call.description.title if self.call else self.first.tool


def without_members(row: AuditEvent, left_out: frozenset[str]) -> AuditEvent:
    """Replace the members of `row` that are left out, in memory; return it."""
    for name in left_out:
        value = getattr(row, name)
        if isinstance(value, str):
            setattr(row, name, LEFT_OUT if value else "")
        else:
            setattr(row, name, None if name == "snapshot" else {})
    return row


def report_items(rows: Iterable[AuditEvent]) -> list[ReportItem]:
    """Group `rows` by call, in the order of the first entry of each."""
    calls: dict[Any, list[AuditEvent]] = {}
    for row in rows:
        calls.setdefault(row.call_id, []).append(row)
    return [_item(each) for each in calls.values()]


def _item(rows: list[AuditEvent]) -> ReportItem:
    entries = [(PHASE_TITLES[AuditPhase(row.phase)], row) for row in rows]
    by_phase = {(row.call_id, row.phase): row for row in rows}
    first = rows[0]
    if first.phase == AuditPhase.EVENT:
        return ReportItem(rows, event=describe_event(first), entries=entries)
    intent = by_phase.get((first.call_id, AuditPhase.INTENT))
    return ReportItem(rows, call=join_call(intent, by_phase) if intent else None, entries=entries)


def render_report(context: dict[str, Any]) -> bytes:
    """Render the page: one file without script, whose policy allows nothing but its own style."""
    style = render_to_string("audit/evidence/report.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    with timezone.override(UTC):
        page = render_to_string("audit/evidence/report.html", {**context, "style": style, "style_digest": digest})
    return page.encode()
