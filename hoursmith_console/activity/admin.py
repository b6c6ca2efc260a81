"""The activity area: every call of every assistant."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from hoursmith_console.activity.rows import activity_rows
from hoursmith_console.ledger import LedgerAdmin, viewer
from hoursmith_console.listing import ChoiceFilter, DaysFilter
from hoursmith_console.site import site
from hoursmith_console.tokens.cards import key_of, token_cards
from hoursmith_console.tokens.filters import MOST_OFFERED, AssistantFilter, TokenFilter
from hoursmith_console.workspaces.visibility import Viewer
from mcpbridge.models import TOOL_KINDS, AuditEvent, Phase, Result, SeenClient, ToolCall
from mcpbridge.problems import MESSAGES
from mcpbridge.tools import TOOLS

UNSUCCESSFUL = "unsuccessful"


class KindFilter(ChoiceFilter):
    """Calls by what they do to the workspace."""

    title = "kind"
    parameter_name = "kind"
    field = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(kind.value, kind.label) for kind in TOOL_KINDS]


class ResultFilter(ChoiceFilter):
    """Calls by how they ended."""

    title = "result"
    parameter_name = "result"
    field = "result"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [*Result.choices, (UNSUCCESSFUL, "Refused or failed")]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        results = [Result.REFUSED, Result.FAILED] if value == UNSUCCESSFUL else [value]
        return queryset.filter(result__in=results)


class ToolFilter(ChoiceFilter):
    """Calls of one tool."""

    title = "tool"
    parameter_name = "tool"
    field = "tool"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, name) for name in TOOLS]


class ConnectionFilter(ChoiceFilter):
    """Calls at one connection's address."""

    title = "connection"
    parameter_name = "connection"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        rows = viewer(request).connections()
        offered = dict(rows.values_list("slug", "label")[:MOST_OFFERED])
        asked = self.value() or ""
        if asked not in offered:
            offered.update(rows.filter(slug=asked).values_list("slug", "label"))
        return offered.items()

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        # By way of the tokens that were used there, whose calls have an index.
        used = SeenClient.objects.filter(connection=value).order_by().values_list("token__prefix", flat=True)
        return queryset.filter(connection=value, prefix__in=set(used))


@admin.register(ToolCall, site=site)
class ActivityAdmin(LedgerAdmin):
    """Tool calls, newest first."""

    area = "activity"
    title = "Activity"
    place = 3
    list_filter = (KindFilter, ResultFilter, ToolFilter, TokenFilter, AssistantFilter, ConnectionFilter, DaysFilter)
    search_fields = ("tool", "target_label", "target_id", "token_name", "client_name")
    search_help_text = "Tool, record, token or assistant"

    def list_context(self, viewer: Viewer, rows: list[ToolCall]) -> dict[str, Any]:
        return {"rows": activity_rows(viewer, rows)}

    def detail_context(self, viewer: Viewer, row: ToolCall) -> dict[str, Any]:
        record = AuditEvent.objects.filter(call_id=row.call_id, phase=Phase.INTENT)
        return {
            "title": row.tool,
            "call": row,
            "card": token_cards(viewer, [row])[key_of(row)],
            "meaning": MESSAGES.get(row.code, ""),
            "is_audited": viewer.rows(record).exists(),
        }
