"""Pages of the activity log."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from django.contrib import admin
from django.db import router
from django.db.models import Q, QuerySet
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from hoursmith_console.activity.export_views import ActivityExportView
from hoursmith_console.activity.filters import KindFilter, ResultFilter, ToolFilter
from hoursmith_console.audit.contents import call_contents
from hoursmith_console.audit.export_views import export_progress
from hoursmith_console.audit.related import related_lists
from hoursmith_console.connections.filters import ConnectionFilter
from hoursmith_console.core.lists.changelist import KeysetChangeList
from hoursmith_console.core.lists.live import MOST_AT_ONCE, LiveCursor, LiveListAdmin, LiveUpdate
from hoursmith_console.core.lists.time_filter import TimeFilter
from hoursmith_console.core.permissions import auditor_may_post
from hoursmith_console.core.site import site
from hoursmith_console.tokens.activity_rows import ActivityRow, activity_rows
from hoursmith_console.tokens.filters import AssistantFilter, MemberFilter, TargetFilter, TokenFilter
from hoursmith_console.tokens.labels import ref_of, token_labels
from hoursmith_console.tokens.querysets import own_branches, visible_rows
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.activity.order import whole_until
from mcpbridge.calls.errors import MESSAGES
from mcpbridge.models import AuditEvent, AuditPhase, CallKind, Result, ToolCall

# A call is written when it has ended, under the instant it began at; one that waited for an approval began long ago.
_LONGEST_CALL = timedelta(hours=1)


@admin.register(ToolCall, site=site)
class ActivityAdmin(LiveListAdmin):
    """List and detail pages of tool calls, newest first."""

    area = "activity"
    title = "Activity"
    noun = "call"
    number = "pk"
    menu_order = 3
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
        progress = partial(export_progress, area=self.area)
        guard, export = self.admin_site.admin_view, require_http_methods(["GET", "POST"])(ActivityExportView(self))
        return [
            path("export/progress/", guard(require_safe(progress)), name="export_progress"),
            path("export/", guard(auditor_may_post(export)), name="export"),
            *super().get_urls(),
        ]

    def listed(self, viewer: Viewer, rows: list[ToolCall]) -> list[ActivityRow]:
        return activity_rows(viewer, rows)

    def last_number(self, viewer: Viewer) -> int:
        return whole_until(router.db_for_read(ToolCall))

    def updates(
        self, request: ConsoleRequest, changes: KeysetChangeList, cursor: LiveCursor, open_keys: set[str]
    ) -> LiveUpdate:
        viewer, now = request.viewer, timezone.now()
        last = self.last_number(viewer)
        # The lower bound on the time keeps the search short: the indexes are ordered by time.
        rows = changes.queryset.filter(at__gte=cursor.at - _LONGEST_CALL, pk__gt=cursor.number, pk__lte=last)
        found = list(rows.defer(*self.list_defer).order_by("pk")[:MOST_AT_ONCE])
        there = (
            LiveCursor(cursor.at, found[-1].pk)
            if len(found) == MOST_AT_ONCE
            else LiveCursor(now, max(last, cursor.number))
        )
        return LiveUpdate(there, self.listed(viewer, found[::-1]))

    def visible_to(self, viewer: Viewer) -> QuerySet[ToolCall]:
        return visible_rows(viewer, ToolCall.objects.all())

    def tabs(self, viewer: Viewer) -> Mapping[str, Mapping[str, str]]:
        return {"All": {}, "Refused": {"result": Result.REFUSED}, "Destructive": {"kind": CallKind.DESTRUCTIVE}}

    def visible_branches(self, viewer: Viewer) -> list[Q] | None:
        return own_branches(viewer)

    def list_context(self, viewer: Viewer, rows: list[ToolCall]) -> dict[str, Any]:
        return {"rows": self.listed(viewer, rows)}

    def page_context(
        self, request: ConsoleRequest, changes: KeysetChangeList, shown: Mapping[str, Any]
    ) -> dict[str, Any]:
        return self.live_context(request, changes, shown["rows"])

    def contents(self, viewer: Viewer, row: ToolCall) -> dict[str, Any]:
        return call_contents(viewer, row)

    def detail_context(self, viewer: Viewer, row: ToolCall) -> dict[str, Any]:
        record = AuditEvent.objects.filter(call_id=row.call_id, phase=AuditPhase.INTENT)
        return {
            **call_contents(viewer, row),
            **self.neighbours(viewer, row),
            "title": row.tool,
            "entry": row,
            "card": token_labels(viewer, [row])[ref_of(row)],
            "meaning": MESSAGES.get(row.code, ""),
            "related": related_lists(row, area=self.area),
            "is_audited": visible_rows(viewer, record).exists(),
        }
