"""How a view renders a page of the console."""

from http import HTTPStatus
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme

from hoursmith_console.core.permissions import RoleNotAllowedError
from hoursmith_console.core.viewer import ViewerRequest


def render_page(request: HttpRequest, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
    """Render `template` with `context`.

    `core.context_processors` adds the menu, the workspace, the member, and what leads back to the section's list.
    """
    return TemplateResponse(request, template, context, status=status)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the page of a refusal (`handler403`): the viewer's role does not allow it, or the object does not."""
    match = request.resolver_match
    is_console = match is not None and match.namespaces[:1] == ["console"]
    context = {
        "roles": exception.roles if isinstance(exception, RoleNotAllowedError) else "",
        "member": cast(ViewerRequest, request).viewer.member if is_console else None,
    }
    return render(request, "403.html", context, status=HTTPStatus.FORBIDDEN)


def page_to_return_to(request: HttpRequest) -> str:
    """Return the page of this console that the posted form names in `next`; empty if it names none."""
    page = request.POST.get("next", "")
    return page if page.startswith("/") and url_has_allowed_host_and_scheme(page, allowed_hosts=None) else ""


def next_page(request: HttpRequest) -> str:
    """Return the page of this console that the address names in `next`, to go back to; empty if it names none."""
    target = request.GET.get("next", "")
    is_ours = target.startswith("/") and url_has_allowed_host_and_scheme(target, allowed_hosts=None)
    return target if is_ours else ""
