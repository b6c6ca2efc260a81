"""Status badge of the last verification, and the action that starts one."""

from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from hoursmith_console.audit.verification.jobs import start_verification, verification_status
from hoursmith_console.core.permissions import reviewer_required
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer


@reviewer_required
def verify(request: ConsoleRequest) -> HttpResponse:
    """Start to verify the workspace's audit log; the badge shows the progress."""
    viewer = request.viewer
    start_verification(org_id=viewer.org_id, actor=viewer.member.display_identity)
    if "HX-Request" in request.headers:
        return _badge(request, viewer)
    came_from = "console:index" if request.POST.get("from") == "overview" else "console:audit:list"
    return HttpResponseRedirect(reverse(came_from))


@reviewer_required
def verification(request: ConsoleRequest) -> HttpResponse:
    """Render the badge as a fragment, polled by its page."""
    return _badge(request, request.viewer)


def _badge(request: ConsoleRequest, viewer: Viewer) -> HttpResponse:
    context = {"verification": verification_status(org_id=viewer.org_id)}
    return TemplateResponse(request, "audit/_verification.html", context)
