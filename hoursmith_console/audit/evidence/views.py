"""The page of evidence: GET shows what can be chosen, POST downloads it, after recording the download."""

from typing import TYPE_CHECKING, Any, cast

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from hoursmith_console.audit.evidence.forms import EvidenceForm
from hoursmith_console.audit.evidence.log import EvidenceUnavailableError
from hoursmith_console.audit.evidence.options import Options
from hoursmith_console.audit.evidence.package import ChoiceError, EvidencePackage, Maker, selected
from hoursmith_console.audit.evidence.proofs import OlderCheckpointError
from hoursmith_console.audit.evidence.scopes import Scope, scope_of_list
from hoursmith_console.audit.evidence.stored import has_old_entries, open_log
from hoursmith_console.audit.export_views import EVIDENCE, progress_context
from hoursmith_console.audit.exporting import stream_counted
from hoursmith_console.core.export_progress import ExportProgress
from hoursmith_console.core.lists.changelist import KeysetChangeList
from hoursmith_console.core.permissions import recent_auth_required, reviewer_required
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.errors import AuditUnavailableError

if TYPE_CHECKING:
    from hoursmith_console.audit.admin import AuditAdmin


@reviewer_required
@recent_auth_required
def evidence_page(request: ConsoleRequest, scope: Scope) -> HttpResponseBase:
    """Show the form for evidence about `scope`; POST downloads the evidence."""
    if request.method != "POST":
        return _page(request, scope, EvidenceForm())
    form = EvidenceForm(request.POST)
    if not form.is_valid():
        return _page(request, scope, form, status=400)
    try:
        return _download(request.viewer, scope, form.options())
    except OlderCheckpointError as error:
        form.add_error("older", str(error))
        return _page(request, scope, form, status=400)
    except ChoiceError as error:
        form.add_error(None, str(error))
        return _page(request, scope, form, status=400)
    except EvidenceUnavailableError as error:
        form.add_error(None, str(error))
        return _page(request, scope, form, status=409)
    except AuditUnavailableError as error:
        form.add_error(None, str(error))
        return _page(request, scope, form, status=503)


class ListEvidence:
    """The evidence of the entries that the filters in the address select."""

    def __init__(self, admin: "AuditAdmin") -> None:
        self._admin = admin
        self._guarded = reviewer_required(recent_auth_required(self._respond))

    def __call__(self, request: ConsoleRequest) -> HttpResponseBase:
        return self._guarded(request)

    def _respond(self, request: ConsoleRequest) -> HttpResponseBase:
        changes = cast(KeysetChangeList, self._admin.get_changelist_instance(request))
        page = reverse("console:audit:list") + changes.address()
        query = request.GET.urlencode()
        return evidence_page(request, scope_of_list(changes, org_id=request.viewer.org_id, query=query, page=page))


def _download(viewer: Viewer, scope: Scope, options: Options) -> StreamingHttpResponse:
    member = viewer.member
    maker = Maker(member.display_identity, member.workspace.name)
    numbers = selected(scope)
    package = EvidencePackage(scope, numbers, options, open_log(scope.org_id, until=numbers[-1]), maker)
    record_event(
        org_id=scope.org_id,
        org_name=member.workspace.name,
        action="console.evidence_download",
        actor=member.display_identity,
        target_type="audit_record",
        target_label=scope.title,
        details=_details(package),
    )
    progress = ExportProgress(member=member, area=EVIDENCE, total=package.lines)
    return StreamingHttpResponse(
        stream_counted(package.parts(), progress),
        content_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{package.file_name}"',
            "X-Accel-Buffering": "no",
        },
    )


def _details(package: EvidencePackage) -> dict[str, Any]:
    """Return what the entry of the download says about it."""
    said: dict[str, Any] = {"entries": len(package.shown), "checkpoint": package.log.last}
    if package.options.left_out:
        said["left_out"] = sorted(package.options.left_out)
    return {**said, **package.scope.selection.filters}


def _page(request: ConsoleRequest, scope: Scope, form: EvidenceForm, status: int = 200) -> HttpResponse:
    context = {
        "title": "Evidence",
        "scope": scope,
        "form": form,
        "has_old": has_old_entries(scope.org_id),
        **progress_context(request, EVIDENCE),
    }
    return TemplateResponse(request, "audit/evidence.html", context, status=status)
