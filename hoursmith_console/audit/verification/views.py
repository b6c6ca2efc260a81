"""The badge that says when the record was last verified, and the button that verifies it now."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from hoursmith_console.audit.verification.jobs import verification_standing, verification_start
from hoursmith_console.core.lists.admin import viewer
from hoursmith_console.workspaces.viewer import Viewer


def verify(request: HttpRequest) -> HttpResponse:
    """Begin to verify the viewer's workspace; the badge then says how far it is."""
    looker = _reviewer(request)
    verification_start(org_id=looker.org_id, actor=looker.member.named)
    if "HX-Request" in request.headers:
        return _badge(request, looker)
    came_from = "console:index" if request.POST.get("from") == "overview" else "console:audit:list"
    return HttpResponseRedirect(reverse(came_from))


def verification(request: HttpRequest) -> HttpResponse:
    """The badge alone, for the script that keeps it fresh."""
    return _badge(request, _reviewer(request))


def _reviewer(request: HttpRequest) -> Viewer:
    looker = viewer(request)
    if not looker.member.sees_workspace:
        raise PermissionDenied
    return looker


def _badge(request: HttpRequest, looker: Viewer) -> HttpResponse:
    context = {"standing": verification_standing(org_id=looker.org_id)}
    return TemplateResponse(request, "audit/_verification.html", context)
