"""Export page of the activity log; requires re-authentication."""

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from hoursmith_console.activity.exporting import FORMATS, export_rows
from hoursmith_console.audit.export_views import progress_context
from hoursmith_console.audit.exporting import stream_parts
from hoursmith_console.core.export_progress import ExportProgress
from hoursmith_console.core.forms import Form
from hoursmith_console.core.lists.changelist import KeysetChangeList
from hoursmith_console.core.permissions import recent_auth_required, reviewer_required
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.errors import AuditUnavailableError

if TYPE_CHECKING:
    from hoursmith_console.activity.admin import ActivityAdmin


class ActivityExportForm(Form):
    """The format of an export."""

    format = forms.ChoiceField(
        choices=[(name, each.label) for name, each in FORMATS.items()], widget=forms.RadioSelect, initial="csv"
    )


class ActivityExportView:
    """GET shows what the filters in the address select; POST exports it."""

    def __init__(self, admin: "ActivityAdmin") -> None:
        self._admin = admin
        self._guarded = reviewer_required(recent_auth_required(self._respond))

    def __call__(self, request: ConsoleRequest) -> HttpResponseBase:
        return self._guarded(request)

    def _respond(self, request: ConsoleRequest) -> HttpResponseBase:
        changes = cast(KeysetChangeList, self._admin.get_changelist_instance(request))
        if request.method != "POST":
            return self._page(request, changes, ActivityExportForm())
        form = ActivityExportForm(request.POST)
        if not form.is_valid():
            return self._page(request, changes, form, status=400)
        viewer, name = request.viewer, form.cleaned_data["format"]
        try:
            record_event(
                org_id=viewer.org_id,
                org_name=viewer.member.workspace.name,
                action="console.export",
                actor=viewer.member.display_identity,
                target_type="activity",
                details={
                    "format": name,
                    **dict(changes.active_params()),
                    **(changes.time.recorded_bounds() if changes.time else {}),
                },
            )
        except AuditUnavailableError as error:
            form.add_error(None, str(error))
            return self._page(request, changes, form, status=503)
        # Not counted: counting would take a good part of the export's own time.
        progress = ExportProgress(member=viewer.member, area=self._admin.area, total=None, headings=name == "csv")
        file = f"activity-{timezone.now():%Y%m%dT%H%M%SZ}.{name}"
        return StreamingHttpResponse(
            stream_parts(FORMATS[name].lines(export_rows(changes.queryset)), progress),
            content_type=FORMATS[name].content_type,
            headers={"Content-Disposition": f'attachment; filename="{file}"', "X-Accel-Buffering": "no"},
        )

    def _page(
        self, request: ConsoleRequest, changes: KeysetChangeList, form: forms.Form, status: int = 200
    ) -> HttpResponse:
        context: dict[str, Any] = {
            "title": "Export activity",
            "form": form,
            "cl": changes,
            **progress_context(request, self._admin.area),
        }
        return TemplateResponse(request, "activity/export.html", context, status=status)
