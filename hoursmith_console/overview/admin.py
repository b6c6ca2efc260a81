"""The console's first page. Django's admin imports this module at the start."""

from django.http import HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from hoursmith_console.core.site import site
from hoursmith_console.core.views import render_page
from hoursmith_console.overview.page import overview_context
from hoursmith_console.workspaces.viewer import ConsoleRequest


def overview(request: ConsoleRequest) -> HttpResponse:
    """Show what needs attention, then what happened lately."""
    return render_page(request, "overview/page.html", title="Overview", **overview_context(request))


site.add_urls(path("", site.admin_view(require_safe(overview)), name="index"))
