"""The one admin site: who may enter, the menu, the address of each area."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.apps import apps
from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, include, path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST, require_safe

from hoursmith_console.core.lists.admin import LedgerAdmin, only_reads
from hoursmith_console.core.section import Area
from hoursmith_console.overview.page import overview_context
from hoursmith_console.workspaces.viewer import WORKSPACE_KEY, ConsoleRequest, Viewer

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

SAFE = ("GET", "HEAD", "OPTIONS")
_RELATED_LOOKUPS = frozenset({TO_FIELD_VAR, IS_POPUP_VAR})


class ConsoleSite(AdminSite):
    """Django's admin with our own door and addresses; of its other pages none is served."""

    site_title = "Hoursmith console"
    site_header = "Hoursmith console"
    final_catch_all_view = False

    def has_permission(self, request: HttpRequest) -> bool:
        """Whoever is an active member of a workspace may enter; being staff or superuser adds nothing."""
        return bool(cast(ConsoleRequest, request).viewer)

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """`view` for members; strangers are sent to the sign-in page, accounts without a workspace get 404.

        An auditor gets no further with a form, unless the view is marked as one that `only_reads`. A workspace that
        demands two-factor authentication shows nothing to a reviewer without it, but lets them go to another one.
        """

        def inner(request: ConsoleRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                if request.headers.get("HX-Request"):
                    # A part of a page that polls on after its session: the sign-in form belongs into the whole page.
                    return HttpResponse(headers={"HX-Refresh": "true"})
                return redirect_to_login(request.get_full_path(), reverse(settings.LOGIN_URL))
            if not self.has_permission(request):
                raise Http404("This account belongs to no workspace.")
            if request.viewer.two_factor_demand and not getattr(view, "leads_elsewhere", False):
                if request.headers.get("HX-Request"):
                    return HttpResponse(headers={"HX-Redirect": reverse("mfa_index")})
                return HttpResponseRedirect(reverse("mfa_index"))
            changes = request.method not in SAFE and not getattr(view, "only_reads", False)
            if changes and request.viewer.member.is_auditor:
                raise PermissionDenied
            _forget_related_lookups(request)
            return view(request, *args, **kwargs)

        guarded = csrf_protect(inner)
        return cast(View, guarded if cacheable else never_cache(guarded))

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """The overview, the choice of workspace, and one address for each registered area."""
        areas: list[URLPattern | URLResolver] = [
            path(f"{area.area}/", include((area.get_urls(), area.area))) for area in self.areas()
        ]
        return [
            path("", self.admin_view(require_safe(self.index)), name="index"),
            path("workspace/", self.admin_view(_leads_elsewhere(choose_workspace)), name="workspace"),
            path("rotations/leaked-tokens/", include("hoursmith_console.leaked_tokens.urls")),
            path("rotations/campaigns/", include("hoursmith_console.campaigns.urls")),
            path("rotations/token-policy/", include("hoursmith_console.token_policy.urls")),
            *areas,
        ]

    def add(self, area: Area) -> None:
        """Serve an area that is not one model's list."""
        self._added = [*getattr(self, "_added", []), area]

    def areas(self) -> list[LedgerAdmin | Area]:
        """The areas in the order of the menu."""
        registered: list[LedgerAdmin | Area] = [
            cast(LedgerAdmin, self.get_model_admin(model)) for model in apps.get_models() if self.is_registered(model)
        ]
        return sorted([*registered, *getattr(self, "_added", [])], key=lambda area: area.place)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """What every page of the console needs."""
        viewer = cast(ConsoleRequest, request).viewer
        addresses = [("Overview", reverse("console:index"))]
        addresses += [
            (area.title, reverse(f"console:{area.area}:list")) for area in self.areas() if shown_to(viewer, area)
        ]
        return {
            "site_title": self.site_title,
            "site_header": self.site_header,
            "has_permission": True,
            "is_popup": False,
            "is_nav_sidebar_enabled": False,
            "member": viewer.member,
            "workspace": viewer.member.workspace,
            "memberships": viewer.memberships,
            "is_sandbox": settings.SANDBOX_MODE,
            "has_openid": bool(settings.OIDC),
            "menu": [
                {
                    "title": title,
                    "address": address,
                    "is_here": request.path.startswith(address) if address != "/" else request.path == "/",
                }
                for title, address in addresses
            ],
        }

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The overview."""
        viewer = cast(ConsoleRequest, request).viewer
        context = {
            **self.each_context(request),
            "title": "Overview",
            **overview_context(viewer, request.GET.get("days", "")),
        }
        return TemplateResponse(request, "overview/page.html", context)


def shown_to(viewer: Viewer, area: LedgerAdmin | Area) -> bool:
    """Whether the menu leads to `area`."""
    return viewer.member.sees_workspace or not getattr(area, "is_for_reviewers", False)


def choose_workspace(request: ConsoleRequest) -> HttpResponse:
    """Look at another workspace of the same person from now on."""
    chosen = request.POST.get("workspace", "")
    for member in request.viewer.memberships:
        if str(member.workspace_id) == chosen:
            request.session[WORKSPACE_KEY] = member.workspace_id
            return HttpResponseRedirect(reverse("console:index"))
    raise Http404("There is no such workspace.")


def _leads_elsewhere(view: View) -> View:
    """Mark a form that shows and changes nothing of the workspace that is open."""
    marked = only_reads(require_POST(view))
    marked.leads_elsewhere = True  # type: ignore[attr-defined]
    return marked


site = ConsoleSite(name="console")


def _forget_related_lookups(request: HttpRequest) -> None:
    """Drop what the admin's pop-ups put into an address: there are none here, and an unknown value is an error."""
    if _RELATED_LOOKUPS & request.GET.keys():
        given = request.GET.copy()
        for name in _RELATED_LOOKUPS:
            given.pop(name, None)
        request.GET = cast(Any, given)
