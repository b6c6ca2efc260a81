"""The page that hands the record out, after asking once more who is there."""

from typing import TYPE_CHECKING, Any, cast

from allauth.account.decorators import reauthentication_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from hoursmith_console.audit.exporting import Narrowed, export_lines, export_record
from hoursmith_console.audit.forms import ExportForm
from hoursmith_console.core.export_progress import HandingOut, progress_of
from hoursmith_console.core.lists.changelist import KeysetChangeList
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.audit.export.formats import FORMATS
from mcpbridge.audit.export.source import Selection

if TYPE_CHECKING:
    from hoursmith_console.audit.admin import AuditAdmin


def progress_context(request: ConsoleRequest, area: str) -> dict[str, Any]:
    """What `console/_export_progress.html` shows."""
    progress = progress_of(member=request.viewer.member, area=area)
    return {"progress": progress, "progress_address": reverse(f"console:{area}:export_progress")}


def export_progress(request: ConsoleRequest, *, area: str) -> HttpResponse:
    """How far the viewer's own last export of `area` is, for the script that keeps it fresh; 204 where as before."""
    if not request.viewer.member.sees_workspace:
        raise PermissionDenied
    context = progress_context(request, area)
    progress = context["progress"]
    if request.GET.get("mark", "") == (progress.mark if progress else ""):
        return HttpResponse(status=204)
    return TemplateResponse(request, "console/_export_progress.html", context)


class ExportView:
    """GET shows what would be handed out, by the filters in the address; POST hands it out."""

    def __init__(self, admin: "AuditAdmin") -> None:
        self._admin = admin
        self._guarded = reauthentication_required(self._answer)

    def __call__(self, request: ConsoleRequest) -> HttpResponseBase:
        # Before anything is asked of them: who may not export is told so at once.
        if not request.viewer.member.sees_workspace:
            raise PermissionDenied
        answer: HttpResponseBase = self._guarded(request)
        return answer

    def _answer(self, request: ConsoleRequest) -> HttpResponseBase:
        if request.method != "POST":
            return self._page(request, ExportForm())
        form = ExportForm(request.POST)
        if not form.is_valid():
            return self._page(request, form, status=400)
        viewer, format_name = request.viewer, form.cleaned_data["format"]
        selection = self._selection(request)
        try:
            export_record(
                org_id=viewer.org_id,
                org_name=viewer.member.workspace.name,
                actor=viewer.member.display_identity,
                format=format_name,
                selection=selection,
            )
        except AuditUnavailableError as error:
            form.add_error(None, str(error))
            return self._page(request, form, status=503)
        chosen, total = FORMATS[format_name], selection.events().order_by().count()
        handing_out = HandingOut(member=viewer.member, area=self._admin.area, total=total)
        name = f"audit-{timezone.now():%Y%m%dT%H%M%SZ}.{chosen.suffix}"
        return StreamingHttpResponse(
            export_lines(selection, format_name, handing_out),
            content_type=chosen.content_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Accel-Buffering": "no"},
        )

    def _selection(self, request: ConsoleRequest) -> Selection:
        org_id = request.viewer.org_id
        changes = self._changes(request)
        if not changes.is_narrowed:
            return Selection(workspace=org_id)
        return Selection(workspace=org_id, narrow=Narrowed(changes.queryset), also=(("page", request.GET.urlencode()),))

    def _changes(self, request: ConsoleRequest) -> KeysetChangeList:
        return cast(KeysetChangeList, self._admin.get_changelist_instance(request))

    def _page(self, request: ConsoleRequest, form: ExportForm, status: int = 200) -> HttpResponse:
        context = {
            "title": "Export the record",
            "area_title": self._admin.title,
            "area_address": "console:audit:list",
            "form": form,
            "rows": self._selection(request).events().order_by().count(),
            "is_narrowed": self._changes(request).is_narrowed,
            **progress_context(request, self._admin.area),
        }
        return TemplateResponse(request, "audit/export.html", context, status=status)
