"""Switch the open workspace. Django's admin imports this module at start-up."""

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from hoursmith_console.core.permissions import auditor_may_post, without_two_factor
from hoursmith_console.core.site import site
from hoursmith_console.workspaces.viewer import WORKSPACE_KEY, ConsoleRequest


@without_two_factor
@auditor_may_post
@require_POST
def choose_workspace(request: ConsoleRequest) -> HttpResponse:
    """Switch to another workspace of the same account."""
    chosen = request.POST.get("workspace", "")
    for member in request.viewer.memberships:
        if str(member.workspace_id) == chosen:
            request.session[WORKSPACE_KEY] = member.workspace_id
            return HttpResponseRedirect(reverse("console:index"))
    raise Http404("No such workspace.")


site.add_urls(path("workspace/", site.admin_view(choose_workspace), name="workspace"))
