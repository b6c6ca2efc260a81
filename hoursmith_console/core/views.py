"""How a view renders a page of the console. `core.context_processors` adds the menu, the workspace and the member."""

from typing import Any, Protocol

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse


class Section(Protocol):
    """What a page names and links above its title: a `ConsoleSection` or a list."""

    @property
    def area(self) -> str: ...
    @property
    def title(self) -> str: ...


def render_page(
    request: HttpRequest, template: str, *, section: Section | None = None, status: int = 200, **context: Any
) -> HttpResponse:
    """Render `template`. A page of a `section` leads back to its list, and has its title where `context` has none."""
    around = {}
    if section is not None:
        around = {
            "title": section.title,
            "area_title": section.title,
            "area_address": f"console:{section.area}:list",
        }
    return TemplateResponse(request, template, around | context, status=status)
