"""The one admin site: who may enter, the menu, the address of each area."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.apps import apps
from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, URLResolver, include, path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect

from hoursmith_console.core.lists.admin import ReadOnlyModelAdmin
from hoursmith_console.core.permissions import RoleNotAllowedError
from hoursmith_console.core.section import ConsoleSection
from hoursmith_console.core.viewer import ConsoleViewer, ViewerRequest

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

SAFE = ("GET", "HEAD", "OPTIONS")
_RELATED_LOOKUPS = frozenset({TO_FIELD_VAR, IS_POPUP_VAR})


class ConsoleSite(AdminSite):
    """Django's admin with our own door and addresses; of its other pages none is served."""

    site_title = "Hoursmith console"
    site_header = "Hoursmith console"
    final_catch_all_view = False

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the user is an active member of a workspace; being staff or superuser adds nothing."""
        return bool(cast(ViewerRequest, request).viewer)

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """`view` for members; strangers are sent to the sign-in page, accounts without a workspace get 404.

        An auditor may send no form, unless the view is marked with `permissions.auditor_may_post`. A workspace that
        demands two-factor authentication shows a reviewer without it only views marked `without_two_factor`.
        """

        def inner(request: ViewerRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                if request.headers.get("HX-Request"):
                    # A part of a page that polls on after its session: the sign-in form belongs into the whole page.
                    return HttpResponse(headers={"HX-Refresh": "true"})
                return redirect_to_login(request.get_full_path(), reverse(settings.LOGIN_URL))
            if not self.has_permission(request):
                raise Http404("This account belongs to no workspace.")
            if request.viewer.two_factor_demand and not getattr(view, "without_two_factor", False):
                if request.headers.get("HX-Request"):
                    return HttpResponse(headers={"HX-Redirect": reverse("mfa_index")})
                return HttpResponseRedirect(reverse("mfa_index"))
            changes = request.method not in SAFE and not getattr(view, "auditor_may_post", False)
            if changes and request.viewer.member.is_auditor:
                raise RoleNotAllowedError
            _forget_related_lookups(request)
            return view(request, *args, **kwargs)

        guarded = csrf_protect(inner)
        return cast(View, guarded if cacheable else never_cache(guarded))

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """The patterns that apps added, and one address for each registered area."""
        areas: list[URLPattern | URLResolver] = [
            path(f"{area.area}/", include((area.get_urls(), area.area))) for area in self.areas()
        ]
        return [
            *getattr(self, "_more_urls", []),
            *areas,
        ]

    def add_urls(self, *patterns: URLPattern | URLResolver) -> None:
        """Serve `patterns`, which no section has, in front of the sections."""
        self._more_urls = [*getattr(self, "_more_urls", []), *patterns]

    def add(self, area: ConsoleSection) -> None:
        """Serve an area that is not one model's list."""
        self._added = [*getattr(self, "_added", []), area]

    def areas(self) -> list[ReadOnlyModelAdmin | ConsoleSection]:
        """The areas in the order of the menu."""
        registered: list[ReadOnlyModelAdmin | ConsoleSection] = [
            cast(ReadOnlyModelAdmin, self.get_model_admin(model))
            for model in apps.get_models()
            if self.is_registered(model)
        ]
        return sorted([*registered, *getattr(self, "_added", [])], key=lambda area: area.menu_order)

    def menu(self, request: ViewerRequest) -> list[dict[str, Any]]:
        """The sections that the viewer may open, with their addresses and how many things wait there."""
        addresses = [("Overview", reverse("console:index"), "")]
        addresses += [
            (
                area.title,
                reverse(f"console:{area.area}:list"),
                area.badge(request.viewer) if isinstance(area, ConsoleSection) else "",
            )
            for area in self.areas()
            if shown_to(request.viewer, area)
        ]
        return [
            {
                "title": title,
                "address": address,
                "badge": badge,
                "is_here": request.path.startswith(address) if address != "/" else request.path == "/",
            }
            for title, address, badge in addresses
        ]


def shown_to(viewer: ConsoleViewer, area: ReadOnlyModelAdmin | ConsoleSection) -> bool:
    """Whether the menu leads to `area`."""
    return viewer.member.sees_workspace or not getattr(area, "is_for_reviewers", False)


site = ConsoleSite(name="console")


def _forget_related_lookups(request: HttpRequest) -> None:
    """Drop what the admin's pop-ups put into an address: there are none here, and an unknown value is an error."""
    if _RELATED_LOOKUPS & request.GET.keys():
        given = request.GET.copy()
        for name in _RELATED_LOOKUPS:
            given.pop(name, None)
        request.GET = cast(Any, given)
