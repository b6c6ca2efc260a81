"""The badge that says when the record was last verified, and the button that verifies it now."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from hoursmith_console.audit.verification.jobs import verification_standing, verification_start
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer


def verify(request: ConsoleRequest) -> HttpResponse:
    """Begin to verify the viewer's workspace; the badge then says how far it is."""
    viewer = _reviewer(request)
    verification_start(org_id=viewer.org_id, actor=viewer.member.display_identity)
    if "HX-Request" in request.headers:
        return _badge(request, viewer)
    came_from = "console:index" if request.POST.get("from") == "overview" else "console:audit:list"
    return HttpResponseRedirect(reverse(came_from))


def verification(request: ConsoleRequest) -> HttpResponse:
    """The badge alone, for the script that keeps it fresh."""
    return _badge(request, _reviewer(request))


def _reviewer(request: ConsoleRequest) -> Viewer:
    viewer = request.viewer
    if not viewer.member.sees_workspace:
        raise PermissionDenied
    return viewer


def _badge(request: ConsoleRequest, viewer: Viewer) -> HttpResponse:
    context = {"standing": verification_standing(org_id=viewer.org_id)}
    return TemplateResponse(request, "audit/_verification.html", context)
