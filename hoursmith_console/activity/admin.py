"""The activity area: every call of every assistant."""

from typing import Any

from django.contrib import admin

from hoursmith_console.activity.filters import ConnectionFilter, KindFilter, ResultFilter, TargetFilter, ToolFilter
from hoursmith_console.activity.rows import activity_rows
from hoursmith_console.audit.opening import contents_open
from hoursmith_console.ledger import LedgerAdmin
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

    def list_context(self, viewer: Viewer, rows: list[ToolCall]) -> dict[str, Any]:
        return {"rows": activity_rows(viewer, rows)}

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
