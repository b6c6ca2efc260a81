"""How a view renders a page of the console."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse


def render_page(request: HttpRequest, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
    """Render `template` with `context`.

    `core.context_processors` adds the menu, the workspace, the member, and what leads back to the section's list.
    """
    return TemplateResponse(request, template, context, status=status)
