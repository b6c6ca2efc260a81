"""The page that plays the demo and shows its progress."""

from django.conf import settings
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from hoursmith_console.core.views import render_page
from hoursmith_console.demo.progress import demo_state
from hoursmith_console.demo.services import DemoRefusedError, is_offered, play_in_background
from hoursmith_console.workspaces.viewer import ConsoleRequest


def demo(request: ConsoleRequest) -> HttpResponse:
    """Show the button, or the progress; a request of htmx gets the progress alone."""
    return _page(request)


def play(request: ConsoleRequest) -> HttpResponse:
    """Start the demo in the background."""
    if not is_offered(request.viewer.org_id):
        return _page(request, status=409, refusal="The demo needs the sandbox’s own workspace, without activity.")
    try:
        play_in_background()
    except DemoRefusedError as error:
        return _page(request, status=409, refusal=str(error))
    return HttpResponseRedirect(reverse("console:demo:page"))


def _page(request: ConsoleRequest, *, status: int = 200, refusal: str = "") -> HttpResponse:
    if not settings.SANDBOX_MODE:
        raise Http404("The demo is played in the sandbox only.")
    template = "demo/_progress.html" if request.headers.get("HX-Request") else "demo/page.html"
    return render_page(
        request,
        template,
        status=status,
        title="Demo",
        state=demo_state(request.viewer.org_id),
        is_offered=is_offered(request.viewer.org_id),
        refusal=refusal,
    )
