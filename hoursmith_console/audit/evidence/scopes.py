"""What evidence is about: the entries of one call, of a filtered list, or of anything else that a page shows."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from hoursmith_console.audit.calls import with_outcomes
from hoursmith_console.audit.descriptions import describe_event
from hoursmith_console.audit.exporting import Filtered
from hoursmith_console.core.lists.changelist import KeysetChangeList
from mcpbridge.audit.export.source import Selection
from mcpbridge.models import AuditEvent, AuditPhase


@dataclass(frozen=True, slots=True)
class Scope:
    """Entries of one workspace, in words and as a selection.

    `title` names them, `plain_title` without names of people, tokens and records; `name` is that of the file without
    its suffix. `page` is the address that the viewer came from, `label` what its link says. `is_single`: they are
    those of one call.
    """

    title: str
    plain_title: str
    name: str
    selection: Selection
    page: str
    label: str
    is_single: bool = False

    @property
    def org_id(self) -> str:
        """Hoursmith's id of the workspace."""
        return self.selection.workspace or ""

    def numbers(self, *, most: int) -> list[int]:
        """Return the numbers of the entries in order; of more than `most`, some of them."""
        # Sorted here, because a database that sorts might look for the last entry among all of the log.
        return sorted(self.selection.events().order_by().values_list("sequence", flat=True)[:most])


@dataclass(frozen=True, slots=True)
class _OfCall:
    """Narrow entries to those of one call or event."""

    call_id: UUID

    def __call__(self, rows: "QuerySet[AuditEvent]") -> "QuerySet[AuditEvent]":
        return rows.filter(call_id=self.call_id)


def scope_of_call(row: AuditEvent) -> Scope:
    """Return the entries of the call or event of `row`, in every phase."""
    if row.phase == AuditPhase.EVENT:
        title = plain_title = describe_event(row).title
    else:
        plain_title = with_outcomes([row])[0].description.title
        title = f"{plain_title} {row.target_label or row.target_id}".strip()
    return Scope(
        title=title,
        plain_title=plain_title,
        name=f"evidence-{row.call_id}",
        selection=Selection(workspace=row.org_id, narrow=_OfCall(row.call_id), also=(("call_id", str(row.call_id)),)),
        page=reverse("console:audit:detail", args=[row.call_id]),
        label=title,
        is_single=True,
    )


def scope_of_list(changes: KeysetChangeList, *, org_id: str, query: str, page: str) -> Scope:
    """Return the calls and events on a filtered list, in every phase; `query` is its address's."""
    selection, title = Selection(workspace=org_id), "whole audit log"
    if changes.is_narrowed:
        named = ", ".join(f"{chip['title']} “{chip['label']}”" for chip in changes.chips())
        title = f"audit log, {named}" if named else "filtered audit log"
        bounds = changes.time.recorded_bounds() if changes.time else {}
        also = (("page", query), *bounds.items())
        selection = Selection(workspace=org_id, narrow=Filtered(changes.queryset), also=also)
    return Scope(
        title=title,
        plain_title="filtered audit log",
        name=f"evidence-{timezone.now():%Y%m%dT%H%M%SZ}",
        selection=selection,
        page=page,
        label="Audit log",
    )
