"""The list of authorizations, the page of each, and ending one. Served below the connections."""

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from hoursmith_console.connections.grants.labels import visible_grants
from hoursmith_console.connections.grants.registering import register_assistant
from hoursmith_console.connections.grants.rows import grant_rows
from hoursmith_console.core.lists.admin import ReadOnlyModelAdmin
from hoursmith_console.core.lists.changelist import ChoiceFilter
from hoursmith_console.core.lists.counting import bounded_count
from hoursmith_console.core.lists.pagination import Order
from hoursmith_console.core.views import render_page
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.numbers import CALLS
from hoursmith_console.tokens.querysets import rows_of_tokens, visible_rows
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.grants import config
from mcpbridge.grants.ending import end_grant
from mcpbridge.grants.in_force import in_force_at
from mcpbridge.models import EndReason, Grant, ToolCall


class StateFilter(ChoiceFilter):
    """Grants that may be used, have expired or were ended."""

    title = "status"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("active", "active"), ("expired", "expired"), ("ended", "ended")]

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        now = timezone.now()
        match value:
            case "active":
                return queryset.filter(in_force_at(now))
            case "expired":
                return queryset.filter(ended_at=None).exclude(in_force_at(now))
        return queryset.exclude(ended_at=None)


class AssistantFilter(ChoiceFilter):
    """Grants of one assistant."""

    title = "assistant"
    parameter_name = "assistant"
    field = "client_name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        names = visible_grants(self.viewer).order_by("client_name").values_list("client_name", flat=True).distinct()
        return [(name, name) for name in names[:100]]


class OwnerFilter(ChoiceFilter):
    """Grants of one member's tokens; offered only to reviewers."""

    title = "owner"
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        if not self.viewer.member.sees_workspace:
            return []
        tokens = visible_grants(self.viewer).order_by().values("prefix")
        owners = Member.objects.filter(
            workspace_id=self.viewer.member.workspace_id, token_claims__prefix__in=tokens
        ).distinct()
        return [(str(key), name) for key, name in owners.order_by("name", "pk").values_list("pk", "name")]

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        claims = TokenClaim.objects.filter(member_id=value).order_by().values_list("env", "prefix")
        return queryset.filter(rows_of_tokens(claims))

    def index_branches(self, value: str) -> list[Q] | None:
        return None


class GrantAdmin(ReadOnlyModelAdmin):
    """Authorizations, newest first."""

    area = "connections/grants"
    title = "Authorized assistants"
    menu_order = 5
    orders = {"": Order("created_at")}
    is_short = True
    list_filter = (StateFilter, AssistantFilter, OwnerFilter)
    search_fields = ("client_name", "client_host", "redirect_host", "prefix", "token_name", "id")
    search_help_text = "Assistant, host or token"

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        both = require_http_methods(["GET", "HEAD", "POST"])
        return [
            path("", guard(require_safe(self.list_view)), name="grants"),
            path("register/", guard(both(register_assistant)), name="register"),
            path("<slug:key>/", guard(require_safe(self.detail_view)), name="grant"),
            path("<slug:key>/end/", guard(both(self.end_view)), name="end_grant"),
        ]

    def visible_to(self, viewer: Viewer) -> QuerySet[Grant]:
        return visible_grants(viewer)

    def list_context(self, viewer: Viewer, rows: list[Grant]) -> dict[str, Any]:
        can_register = config.is_enabled() and viewer.member.administers
        return {"rows": grant_rows(viewer, rows), "can_register": can_register}

    def detail_context(self, viewer: Viewer, row: Grant) -> dict[str, Any]:
        shown = grant_rows(viewer, [row])[0]
        calls = visible_rows(viewer, ToolCall.objects.filter(connection__gt="", connection=row.connection))
        calls = calls.filter(env=row.env, prefix=row.prefix)
        return {
            "title": shown.label,
            "row": shown,
            "calls_count": bounded_count(calls),
            "calls_address": CALLS.address(connection=row.connection, token=shown.card.address),
        }

    def end_view(self, request: ConsoleRequest, key: str) -> HttpResponse:
        """Confirm and end a grant."""
        row = grant_rows(request.viewer, [get_object_or_404(self.get_queryset(request), pk=key)])[0]
        back = reverse("console:connections:grant", args=[key])
        if not row.is_in_force:
            return HttpResponseRedirect(back)
        if not row.may_end:
            raise PermissionDenied
        if request.method != "POST":
            return render_page(request, "connections/grants/end.html", title=f"End access of {row.label}?", row=row)
        actor = request.viewer.member.display_identity
        if end_grant(grant=row.grant, why=EndReason.MEMBER, actor=actor):
            messages.success(request, f"Access of {row.label} ended.")
        return HttpResponseRedirect(back)
