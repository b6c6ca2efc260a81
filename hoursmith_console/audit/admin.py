"""The audit log: destructive calls with snapshots, and actions in the console."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db import router
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hoursmith_console.audit.calls import State, in_state, with_outcomes
from hoursmith_console.audit.contents import call_title, entry_contents
from hoursmith_console.audit.destinations.views import DestinationPages
from hoursmith_console.audit.evidence.scopes import scope_of_call
from hoursmith_console.audit.evidence.views import ListEvidence, evidence_page
from hoursmith_console.audit.export_views import EVIDENCE, ExportView, export_progress
from hoursmith_console.audit.forms import ResolveForm
from hoursmith_console.audit.related import related_lists
from hoursmith_console.audit.restorations import restorations
from hoursmith_console.audit.rows import AuditRow, audit_rows
from hoursmith_console.audit.verification.jobs import VerificationStatus, verification_status
from hoursmith_console.audit.verification.proofs import entry_proofs
from hoursmith_console.audit.verification.views import verification, verify
from hoursmith_console.audit.watchers.views import WatcherPages
from hoursmith_console.connections.filters import ConnectionFilter
from hoursmith_console.core.lists.changelist import ChoiceFilter, KeysetChangeList
from hoursmith_console.core.lists.live import MOST_AT_ONCE, LiveCursor, LiveListAdmin, LiveUpdate
from hoursmith_console.core.lists.pagination import Order
from hoursmith_console.core.lists.time_filter import TimeFilter
from hoursmith_console.core.permissions import RoleNotAllowedError, auditor_may_post
from hoursmith_console.core.site import site
from hoursmith_console.tokens.filters import AssistantFilter, MemberFilter, TargetFilter, TokenFilter
from hoursmith_console.tokens.labels import ref_of, token_labels
from hoursmith_console.tokens.querysets import own_branches, visible_rows
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.audit.heads import head_of
from mcpbridge.audit.reconcile import NothingToResolveError, resolve_outcome
from mcpbridge.calls.errors import MESSAGES
from mcpbridge.models import LISTED, AuditEvent, AuditPhase, CallKind, ToolCall
from mcpbridge.tools import TOOLS

_PHASES = {"destroyed": AuditPhase.INTENT, "console": AuditPhase.EVENT}


class EntryFilter(ChoiceFilter):
    """Destructive calls or console actions; offered only to reviewers, who see both."""

    title = "type"
    parameter_name = "what"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        if self.viewer.member.sees_workspace:
            return [("destroyed", "destructive calls"), ("console", "console actions")]
        return []

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(phase=_PHASES[value])

    def index_branches(self, value: str) -> list[Q]:
        return [Q(phase=_PHASES[value])]


class OutcomeFilter(ChoiceFilter):
    """Calls by their state."""

    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return State.choices

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return in_state(queryset, State(value))

    def index_branches(self, value: str) -> None:
        return None


class DestructiveToolFilter(ChoiceFilter):
    """Calls of one tool."""

    title = "tool"
    parameter_name = "tool"
    field = "tool"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(tool.name, tool.name) for tool in TOOLS.values() if tool.kind == CallKind.DESTRUCTIVE]


class RecordedTimeFilter(TimeFilter):
    """Entries by when they were recorded."""

    field = "recorded_at"


@admin.register(AuditEvent, site=site)
class AuditAdmin(LiveListAdmin):
    """A list row and a page for each destructive call and console action, addressed by the call's id."""

    area = "audit"
    title = "Audit log"
    noun = "row"
    number = "sequence"
    menu_order = 2
    orders = {"": Order("recorded_at")}
    base_branches = (Q(phase=AuditPhase.INTENT), Q(phase=AuditPhase.EVENT))
    list_defer = ("arguments", "snapshot")
    detail_converter = "uuid"
    list_filter = (
        RecordedTimeFilter,
        EntryFilter,
        OutcomeFilter,
        DestructiveToolFilter,
        MemberFilter,
        TokenFilter,
        AssistantFilter,
        ConnectionFilter,
        TargetFilter,
    )
    search_fields = ("target_label", "target_id", "token_name", "client_name", "actor")
    search_help_text = "Record, token, assistant or user"

    def get_urls(self) -> list[URLPattern]:
        guard, progress = self.admin_site.admin_view, partial(export_progress, area=self.area)
        evidence_progress = partial(export_progress, area=EVIDENCE)
        form = require_http_methods(["GET", "POST"])
        return [
            path("export/", guard(auditor_may_post(form(ExportView(self)))), name="export"),
            path("export/progress/", guard(require_safe(progress)), name="export_progress"),
            path("verify/", guard(auditor_may_post(require_POST(verify))), name="verify"),
            path("verification/", guard(require_safe(verification)), name="verification"),
            path("<uuid:key>/resolve/", guard(require_POST(self.resolve_view)), name="resolve"),
            path("evidence/progress/", guard(require_safe(evidence_progress)), name="evidence_progress"),
            path("evidence/", guard(auditor_may_post(form(ListEvidence(self)))), name="list_evidence"),
            path("<uuid:key>/evidence/", guard(auditor_may_post(form(self.evidence_view))), name="evidence"),
            *DestinationPages(self.admin_site).urls(),
            *WatcherPages(self.admin_site).urls(),
            *super().get_urls(),
        ]

    def resolve_view(self, request: ConsoleRequest, key: UUID) -> HttpResponse:
        """Record an admin's note on a call with an unknown outcome."""
        viewer = request.viewer
        row = get_object_or_404(self.get_queryset(request), phase=AuditPhase.INTENT, call_id=key)
        if not viewer.member.administers:
            raise RoleNotAllowedError
        form = ResolveForm(request.POST)
        page = HttpResponseRedirect(reverse("console:audit:detail", args=[key]))
        if not form.is_valid():
            return self.detail_response(request, row, status=400, form=form)
        try:
            resolve_outcome(
                call_id=key, org_id=row.org_id, actor=viewer.member.display_identity, note=form.cleaned_data["note"]
            )
        except NothingToResolveError:
            messages.warning(request, "Already resolved, or the outcome has been recorded.")
        except AuditUnavailableError as error:
            form.add_error(None, str(error))
            return self.detail_response(request, row, status=503, form=form)
        else:
            messages.success(request, "Note saved.")
        return page

    def evidence_view(self, request: ConsoleRequest, key: UUID) -> HttpResponseBase:
        """Offer and download the evidence of one call or event."""
        return evidence_page(request, scope_of_call(get_object_or_404(self.get_queryset(request), call_id=key)))

    def visible_to(self, viewer: Viewer) -> QuerySet[AuditEvent]:
        listed = LISTED if viewer.member.sees_workspace else Q(phase=AuditPhase.INTENT)
        return visible_rows(viewer, AuditEvent.objects.all()).filter(listed)

    def tabs(self, viewer: Viewer) -> Mapping[str, Mapping[str, str]]:
        if not viewer.member.sees_workspace:
            return {}
        return {"Deletions": {"what": "destroyed"}, "Administration": {"what": "console"}, "All": {}}

    def visible_branches(self, viewer: Viewer) -> list[Q] | None:
        return own_branches(viewer)

    def detail_lookup(self, key: Any) -> dict[str, Any]:
        return {"call_id": key}

    def listed(self, viewer: Viewer, rows: list[AuditEvent]) -> list[AuditRow]:
        return audit_rows(viewer, rows)

    def open_keys(self, listed: Sequence[AuditRow]) -> list[str]:
        return [row.key for row in listed if row.is_open]

    def last_number(self, viewer: Viewer) -> int:
        return head_of(router.db_for_read(AuditEvent), viewer.org_id).sequence

    def updates(
        self, request: ConsoleRequest, changes: KeysetChangeList, cursor: LiveCursor, open_keys: set[str]
    ) -> LiveUpdate:
        viewer, now = request.viewer, timezone.now()
        ahead = AuditEvent.objects.filter(org_id=viewer.org_id, sequence__gt=cursor.number).order_by("sequence")
        written = list(ahead.values_list("sequence", "call_id", "phase")[:MOST_AT_ONCE])
        # A call appears when its intent is written; with a filter by outcome, when the outcome is.
        calls = {
            call for _, call, phase in written if phase in (AuditPhase.INTENT, AuditPhase.OUTCOME, AuditPhase.EVENT)
        }
        rows = changes.queryset.filter(call_id__in=calls).defer(*self.list_defer).order_by("-sequence")
        listed = self.listed(viewer, list(rows))
        fresh = [row for row in listed if row.key not in open_keys]
        changed = [row for row in listed if row.key in open_keys and not row.is_open]
        still_open = open_keys.difference(row.key for row in changed).union(self.open_keys(fresh))
        there = LiveCursor(now, max([cursor.number, *(sequence for sequence, _, _ in written)]))
        return LiveUpdate(there, fresh, changed, sorted(still_open))

    def list_context(self, viewer: Viewer, rows: list[AuditEvent]) -> dict[str, Any]:
        return {"rows": self.listed(viewer, rows), "verification": _verification_status(viewer)}

    def page_context(
        self, request: ConsoleRequest, changes: KeysetChangeList, shown: Mapping[str, Any]
    ) -> dict[str, Any]:
        return self.live_context(request, changes, shown["rows"])

    def contents(self, viewer: Viewer, row: AuditEvent) -> dict[str, Any]:
        return entry_contents(viewer, row)

    def detail_context(self, viewer: Viewer, row: AuditEvent) -> dict[str, Any]:
        shown = {
            **entry_contents(viewer, row),
            **self.neighbours(viewer, row, phase=row.phase),
            "entry": row,
            "proofs": entry_proofs(row.org_id, row.call_id),
            "verification": _verification_status(viewer),
        }
        if row.phase == AuditPhase.EVENT:
            card = token_labels(viewer, [row])[ref_of(row)] if row.prefix else None
            return {**shown, "title": shown["event"].title, "card": card}
        call = with_outcomes([row])[0]
        return {
            **shown,
            "title": call_title(row),
            "call": call,
            "outcome": call.outcome,
            "card": token_labels(viewer, [row])[ref_of(row)],
            "related": related_lists(row, area=self.area),
            "meaning": MESSAGES.get(call.outcome.code, "") if call.outcome else "",
            "restoration": restorations([row]).get(row.call_id),
            "form": ResolveForm() if call.is_resolvable and viewer.member.administers else None,
            "activity": visible_rows(viewer, ToolCall.objects.filter(call_id=row.call_id)).first(),
        }


def _verification_status(viewer: Viewer) -> VerificationStatus | None:
    return verification_status(org_id=viewer.org_id) if viewer.member.sees_workspace else None
