"""How a view renders a page of the console."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme


def render_page(request: HttpRequest, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
    """Render `template` with `context`.

    `core.context_processors` adds the menu, the workspace, the member, and what leads back to the section's list.
    """
    return TemplateResponse(request, template, context, status=status)


def page_to_return_to(request: HttpRequest) -> str:
    """Return the page of this console that the posted form names in `next`; empty if it names none."""
    page = request.POST.get("next", "")
    return page if page.startswith("/") and url_has_allowed_host_and_scheme(page, allowed_hosts=None) else ""
