"""The page that hands the record out, after asking once more who is there."""

from typing import TYPE_CHECKING, cast

from allauth.account.decorators import reauthentication_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from hoursmith_console.audit.exporting import Narrowed, export_lines, export_record
from hoursmith_console.audit.forms import ExportForm
from hoursmith_console.ledger import viewer
from hoursmith_console.listing import KeysetChangeList
from mcpbridge.audit import AuditUnavailableError
from mcpbridge.export.formats import FORMATS
from mcpbridge.export.source import Selection

if TYPE_CHECKING:
    from hoursmith_console.audit.admin import AuditAdmin


class ExportView:
    """GET shows what would be handed out, by the filters in the address; POST hands it out."""

    def __init__(self, admin: "AuditAdmin") -> None:
        self._admin = admin
        self._guarded = reauthentication_required(self._answer)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Before anything is asked of them: who may not export is told so at once.
        if not viewer(request).member.sees_workspace:
            raise PermissionDenied
        answer: HttpResponseBase = self._guarded(request)
        return answer

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        if request.method != "POST":
            return self._page(request, ExportForm())
        form = ExportForm(request.POST)
        if not form.is_valid():
            return self._page(request, form, status=400)
        looker, format_name = viewer(request), form.cleaned_data["format"]
        selection = self._selection(request)
        try:
            export_record(
                org_id=looker.org_id,
                org_name=looker.member.workspace.name,
                actor=looker.member.named,
                format=format_name,
                selection=selection,
            )
        except AuditUnavailableError as error:
            form.add_error(None, str(error))
            return self._page(request, form, status=503)
        chosen = FORMATS[format_name]
        name = f"audit-{timezone.now():%Y%m%dT%H%M%SZ}.{chosen.suffix}"
        return StreamingHttpResponse(
            export_lines(selection, format_name),
            content_type=chosen.content_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Accel-Buffering": "no"},
        )

    def _selection(self, request: HttpRequest) -> Selection:
        org_id = viewer(request).org_id
        changes = self._changes(request)
        if not changes.is_narrowed:
            return Selection(workspace=org_id)
        return Selection(workspace=org_id, narrow=Narrowed(changes.queryset), also=(("page", request.GET.urlencode()),))

    def _changes(self, request: HttpRequest) -> KeysetChangeList:
        return cast(KeysetChangeList, self._admin.get_changelist_instance(request))

    def _page(self, request: HttpRequest, form: ExportForm, status: int = 200) -> HttpResponse:
        context = {
            **self._admin.admin_site.each_context(request),
            "title": "Export the record",
            "area_title": self._admin.title,
            "area_address": "console:audit:list",
            "form": form,
            "rows": self._selection(request).events().order_by().count(),
            "is_narrowed": self._changes(request).is_narrowed,
        }
        return TemplateResponse(request, "audit/export.html", context, status=status)
