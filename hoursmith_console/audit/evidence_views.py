"""Download the evidence of one call: its entries, with all that is needed to verify them elsewhere."""

from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from hoursmith_console.audit.exporting import recorded_download
from hoursmith_console.core.permissions import recent_auth_required, reviewer_required
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.audit.export.source import Selection
from mcpbridge.models import AuditEvent

_FORMAT = "jsonl"


@dataclass(frozen=True, slots=True)
class _OfCall:
    """Narrow entries to those of one call or event."""

    call_id: UUID

    def __call__(self, rows: "QuerySet[AuditEvent]") -> "QuerySet[AuditEvent]":
        return rows.filter(call_id=self.call_id)


@reviewer_required
@recent_auth_required
def download_evidence(request: ConsoleRequest, row: AuditEvent) -> HttpResponseBase:
    """Stream the entries of the call of `row`, keys and checkpoints as JSON Lines, after recording the export."""
    call_id = row.call_id
    selection = Selection(workspace=row.org_id, narrow=_OfCall(call_id), also=(("call", str(call_id)),))
    try:
        return recorded_download(request.viewer, selection, _FORMAT, name=f"evidence-{call_id}")
    except AuditUnavailableError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(reverse("console:audit:detail", args=[call_id]))
