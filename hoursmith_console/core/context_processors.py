"""What the template of every page of the console knows."""

from functools import partial
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from hoursmith_console.core.banners import banners_for
from hoursmith_console.core.site import site
from hoursmith_console.core.viewer import ViewerRequest


def console(request: HttpRequest) -> dict[str, Any]:
    """Return the menu, the member, the workspace and the section on the site's pages; elsewhere nothing is read."""
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
        # Parts of pages have no banners and no menu, so they are made where a template shows them.
        "banners": SimpleLazyObject(partial(banners_for, viewer)),
        "menu": SimpleLazyObject(partial(site.menu, console_request)),
        **_section(match.namespaces),
    }


def _section(namespaces: list[str]) -> dict[str, str]:
    """Return the title of the section that the address is in, and the name of its list's address."""
    area = namespaces[1] if len(namespaces) > 1 else ""
    section = next((each for each in site.areas() if each.area == area), None)
    if section is None:
        return {}
    return {"title": section.title, "area_title": section.title, "area_address": f"console:{area}:list"}
