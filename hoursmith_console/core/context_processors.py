"""What the template of every page of the console knows."""

from functools import partial
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from hoursmith_console.core.site import site
from hoursmith_console.core.viewer import ViewerRequest


def console(request: HttpRequest) -> dict[str, Any]:
    """Return the menu, the member and the workspace, on the site's pages alone: other pages read no member."""
    match = request.resolver_match
    if match is None or match.namespaces[:1] != [site.name]:
        return {}
    console_request = cast(ViewerRequest, request)
    viewer = console_request.viewer
    if not viewer:
        return {}
    return {
        "site_title": site.site_title,
        "site_header": site.site_header,
        "has_permission": True,
        "is_popup": False,
        "is_nav_sidebar_enabled": False,
        "member": viewer.member,
        "workspace": viewer.member.workspace,
        "memberships": viewer.memberships,
        "is_sandbox": settings.SANDBOX_MODE,
        "has_oidc": bool(settings.OIDC),
        # Parts of pages have no menu, so it is made where a template shows it.
        "menu": SimpleLazyObject(partial(site.menu, console_request)),
    }
