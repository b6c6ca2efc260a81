"""Export page of the audit log; requires re-authentication."""

from typing import TYPE_CHECKING, Any, cast

from django.http import HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from hoursmith_console.audit.exporting import Filtered, recorded_download
from hoursmith_console.audit.forms import ExportForm
from hoursmith_console.core.export_progress import last_export
from hoursmith_console.core.lists.changelist import KeysetChangeList
from hoursmith_console.core.permissions import recent_auth_required, reviewer_required
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.audit.export.source import Selection

if TYPE_CHECKING:
    from hoursmith_console.audit.admin import AuditAdmin

EVIDENCE = "evidence"


def progress_context(request: ConsoleRequest, area: str) -> dict[str, Any]:
    """Return the context of `console/_export_progress.html`, for the exports of `area` or for evidence."""
    is_evidence = area == EVIDENCE
    return {
        "progress": last_export(member=request.viewer.member, area=area),
        "progress_address": reverse(
            "console:audit:evidence_progress" if is_evidence else f"console:{area}:export_progress"
        ),
        "is_evidence": is_evidence,
    }


@reviewer_required
def export_progress(request: ConsoleRequest, *, area: str) -> HttpResponse:
    """Render the progress of the viewer's last export of `area`, polled by its page; 204 if nothing changed."""
    context = progress_context(request, area)
    progress = context["progress"]
    if request.GET.get("mark", "") == (progress.mark if progress else ""):
        return HttpResponse(status=204)
    return TemplateResponse(request, "console/_export_progress.html", context)


class ExportView:
    """GET shows what the filters in the address select; POST exports it."""

    def __init__(self, admin: "AuditAdmin") -> None:
        self._admin = admin
        self._guarded = reviewer_required(recent_auth_required(self._respond))

    def __call__(self, request: ConsoleRequest) -> HttpResponseBase:
        return self._guarded(request)

    def _respond(self, request: ConsoleRequest) -> HttpResponseBase:
        if request.method != "POST":
            return self._page(request, ExportForm())
        form = ExportForm(request.POST)
        if not form.is_valid():
            return self._page(request, form, status=400)
        name = f"audit-{timezone.now():%Y%m%dT%H%M%SZ}"
        try:
            return recorded_download(request.viewer, self._selection(request), form.cleaned_data["format"], name=name)
        except AuditUnavailableError as error:
            form.add_error(None, str(error))
            return self._page(request, form, status=503)

    def _selection(self, request: ConsoleRequest) -> Selection:
        org_id = request.viewer.org_id
        changes = self._changes(request)
        if not changes.is_narrowed:
            return Selection(workspace=org_id)
        bounds = changes.time.recorded_bounds() if changes.time else {}
        also = (("page", request.GET.urlencode()), *bounds.items())
        return Selection(workspace=org_id, narrow=Filtered(changes.queryset), also=also)

    def _changes(self, request: ConsoleRequest) -> KeysetChangeList:
        return cast(KeysetChangeList, self._admin.get_changelist_instance(request))

    def _page(self, request: ConsoleRequest, form: ExportForm, status: int = 200) -> HttpResponse:
        changes = self._changes(request)
        context = {
            "title": "Export audit log",
            "form": form,
            "listed": changes.total,
            "list_address": reverse(f"console:{self._admin.area}:list") + changes.address(),
            "is_narrowed": changes.is_narrowed,
            **progress_context(request, self._admin.area),
        }
        return TemplateResponse(request, "audit/export.html", context, status=status)
