"""List and detail pages of connections."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from hoursmith_console.connections import manage_views, setup_views
from hoursmith_console.connections.catalogue import MCP_CLIENTS
from hoursmith_console.connections.context import (
    calls_over,
    current_status,
    evidence_context,
    get_connection_or_404,
    is_owner,
    setup_for,
    verbs_for,
)
from hoursmith_console.connections.diagnostics.views import troubleshoot
from hoursmith_console.connections.grants.admin import GrantAdmin
from hoursmith_console.connections.models import Access, Connection
from hoursmith_console.connections.services import connection_url
from hoursmith_console.connections.status import ConnectionStatus, connection_statuses
from hoursmith_console.core.lists.admin import ReadOnlyModelAdmin
from hoursmith_console.core.lists.changelist import ChoiceFilter
from hoursmith_console.core.lists.counting import bounded_count
from hoursmith_console.core.lists.pagination import Order
from hoursmith_console.core.site import site
from hoursmith_console.tokens.activity_rows import activity_rows
from hoursmith_console.tokens.labels import TokenLabel, ref_of, token_labels
from hoursmith_console.tokens.numbers import CALLS
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.models import Grant

LATEST = 10
REMOVED_AT_MOST = 50


class ClientFilter(ChoiceFilter):
    """Connections of one assistant."""

    title = "assistant"
    parameter_name = "client"
    field = "client"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        used = Connection.objects.visible_to(self.viewer).order_by().values_list("client", flat=True).distinct()
        return sorted((key, MCP_CLIENTS[key].title if key in MCP_CLIENTS else key) for key in used)


class OwnerFilter(ChoiceFilter):
    """Connections of one member; offered only to reviewers."""

    title = "owner"
    parameter_name = "owner"
    field = "owner_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        if not self.viewer.member.sees_workspace:
            return []
        found = (
            Connection.objects.visible_to(self.viewer)
            .order_by("owner__name", "owner_id")
            .values_list("owner_id", "owner__name")
        )
        return [(str(key), name) for key, name in found.distinct()]


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """A row of the list. `card` is the token in use, if any."""

    connection_status: ConnectionStatus
    card: TokenLabel | None


@admin.register(Connection, site=site)
class ConnectionAdmin(ReadOnlyModelAdmin):
    """Connections, newest first; removed ones below."""

    area = "connections"
    title = "Connections"
    menu_order = 5
    orders = {"": Order("created_at")}
    is_short = True
    detail_converter = "slug"
    list_select_related = ("owner", "workspace")
    list_filter = (ClientFilter, OwnerFilter)
    search_fields = ("label", "slug", "owner__name")
    search_help_text = "Name, owner or id"

    def get_urls(self) -> list[Any]:
        guard = self.admin_site.admin_view
        both = require_http_methods(["GET", "POST"])
        return [
            path("authorizations/", include(GrantAdmin(Grant, self.admin_site).get_urls())),
            path("new/", guard(require_safe(setup_views.choose)), name="new"),
            path("new/details/", guard(both(setup_views.details)), name="details"),
            path("<slug:key>/token/", guard(both(setup_views.token)), name="token"),
            path("<slug:key>/setup/", guard(require_safe(setup_views.setup)), name="setup"),
            path("<slug:key>/ask/", guard(require_safe(setup_views.ask)), name="ask"),
            path("<slug:key>/evidence/", guard(require_safe(setup_views.evidence)), name="evidence"),
            path("<slug:key>/troubleshoot/", guard(require_safe(troubleshoot)), name="troubleshoot"),
            path("<slug:key>/change/", guard(both(manage_views.change)), name="change"),
            path("<slug:key>/remove/", guard(both(manage_views.remove)), name="remove"),
            *super().get_urls(),
        ]

    def visible_to(self, viewer: Viewer) -> QuerySet[Connection]:
        return Connection.objects.visible_to(viewer).filter(removed_at=None)

    def detail_view(self, request: ConsoleRequest, key: Any) -> HttpResponse:
        """Show one connection, even if it was removed."""
        connection = get_connection_or_404(request, key)
        client = MCP_CLIENTS.get(request.GET.get("client", ""))
        setup = setup_for(current_status(request.viewer, connection), client=client)
        return self.detail_response(request, connection, setup=setup, is_chosen=client is not None)

    def list_context(self, viewer: Viewer, rows: list[Connection]) -> dict[str, Any]:
        removed = Connection.objects.visible_to(viewer).exclude(removed_at=None).select_related("owner")
        return {
            "rows": _rows(viewer, rows),
            "removed": removed.order_by("-removed_at", "-pk")[:REMOVED_AT_MOST],
        }

    def detail_context(self, viewer: Viewer, row: Connection) -> dict[str, Any]:
        connection_status = current_status(viewer, row)
        over = calls_over(viewer, row.slug)
        is_own = is_owner(viewer, row)
        evidence = evidence_context(viewer, connection_status)
        return {
            **evidence,
            "title": row.label,
            "verbs": verbs_for(viewer, row, evidence["evidence_card"]),
            "address": connection_url(row) + ("/readonly" if row.access == Access.READ_ONLY else ""),
            "clients": list(MCP_CLIENTS.values()),
            "calls": activity_rows(viewer, over[:LATEST]),
            "calls_count": bounded_count(over),
            "calls_address": CALLS.address(connection=row.slug),
            "is_own": is_own,
        }


def _rows(viewer: Viewer, connections: list[Connection]) -> list[ConnectionRow]:
    found = connection_statuses(viewer, connections, now=timezone.now())
    cards = token_labels(viewer, [each.seen for each in found if each.seen.prefix])
    return [ConnectionRow(each, cards.get(ref_of(each.seen))) for each in found]
