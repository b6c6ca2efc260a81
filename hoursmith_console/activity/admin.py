"""The activity area: every call of every assistant."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from hoursmith_console.activity.export_views import ActivityExportView
from hoursmith_console.activity.filters import ConnectionFilter, KindFilter, ResultFilter, TargetFilter, ToolFilter
from hoursmith_console.activity.rows import activity_rows
from hoursmith_console.activity.tail_views import FOLLOW, TailView, tail_context
from hoursmith_console.audit.opening import contents_open
from hoursmith_console.ledger import LedgerAdmin
from hoursmith_console.listing import KeysetChangeList
from hoursmith_console.reading import instant_text
from hoursmith_console.site import site
from hoursmith_console.time_filter import TimeFilter
from hoursmith_console.tokens.cards import key_of, token_cards
from hoursmith_console.tokens.filters import AssistantFilter, MemberFilter, TokenFilter
from hoursmith_console.workspaces.visibility import Viewer
from mcpbridge.models import AuditEvent, Phase, ToolCall
from mcpbridge.problems import MESSAGES


@admin.register(ToolCall, site=site)
class ActivityAdmin(LedgerAdmin):
    """Tool calls, newest first."""

    area = "activity"
    title = "Activity"
    place = 3
    list_defer = ("arguments",)
    list_filter = (
        TimeFilter,
        KindFilter,
        ResultFilter,
        ToolFilter,
        MemberFilter,
        TokenFilter,
        AssistantFilter,
        ConnectionFilter,
        TargetFilter,
    )
    search_fields = ("tool", "target_label", "target_id", "token_name", "client_name")
    search_help_text = "Tool, record, token or assistant"

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path("tail/", guard(require_safe(TailView(self))), name="tail"),
            path("export/", guard(require_http_methods(["GET", "POST"])(ActivityExportView(self))), name="export"),
            *super().get_urls(),
        ]

    def list_context(self, viewer: Viewer, rows: list[ToolCall]) -> dict[str, Any]:
        return {"rows": activity_rows(viewer, rows)}

    def page_context(self, request: HttpRequest, changes: KeysetChangeList) -> dict[str, Any]:
        """The live tail, on the page that has the newest calls."""
        if changes.before or changes.after:
            return {}
        rows = changes.result_list
        after = changes.cursor(rows[0]) if rows else f"{instant_text(timezone.now())}_0"
        return {"tail": tail_context(changes, after, "live" if FOLLOW in request.GET else "off", is_empty=not rows)}

    def detail_context(self, viewer: Viewer, row: ToolCall) -> dict[str, Any]:
        record = AuditEvent.objects.filter(call_id=row.call_id, phase=Phase.INTENT)
        return {
            "title": row.tool,
            "contents": contents_open(
                viewer,
                call_id=row.call_id,
                label=f"{row.tool} {row.target_label or row.target_id}".strip(),
                has_any=bool(row.arguments),
            ),
            "call": row,
            "card": token_cards(viewer, [row])[key_of(row)],
            "meaning": MESSAGES.get(row.code, ""),
            "is_audited": viewer.rows(record).exists(),
        }
