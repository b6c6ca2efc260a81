"""Pages of approvals; imported by Django's admin at start-up."""

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hoursmith_console.approvals.forms import RuleForm
from hoursmith_console.approvals.queries import (
    RequestRow,
    decided,
    request_rows,
    visible_requests,
    waiting,
    waiting_count,
)
from hoursmith_console.audit.content_access import authorize_content_view
from hoursmith_console.core.keys import key_from
from hoursmith_console.core.lists.counting import count_text
from hoursmith_console.core.permissions import admin_required, recent_auth_required, reviewer_required
from hoursmith_console.core.section import ConsoleSection
from hoursmith_console.core.site import site
from hoursmith_console.core.viewer import ConsoleViewer
from hoursmith_console.core.views import render_page
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.calls.approvals.policy import change_approval_rule, get_approval_rule, is_active
from mcpbridge.calls.approvals.requests import NotDecidableError, decide_approval
from mcpbridge.models import ApprovalRequest, CallKind
from mcpbridge.tools import TOOLS

PAGE_SIZE = 50


class ApprovalsSection(ConsoleSection):
    """Pending and decided requests. Owners and Admins decide; others see the requests of their own tokens."""

    area, title, menu_order = "approvals", "Approvals", 6

    def badge(self, viewer: ConsoleViewer) -> str:
        """How many requests wait for the viewer's decision."""
        pending = waiting_count(cast(Viewer, viewer)) if viewer.member.administers else 0
        return count_text(pending) if pending else ""

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path("", guard(require_safe(self.list_view)), name="list"),
            path("waiting/", guard(require_safe(self.waiting_view)), name="waiting"),
            path("policy/", guard(require_http_methods(["GET", "HEAD", "POST"])(self.policy_view)), name="policy"),
            path("<uuid:key>/", guard(require_safe(self.detail_view)), name="detail"),
            path(
                "<uuid:key>/decide/",
                guard(require_POST(admin_required(recent_auth_required(self.decide_view)))),
                name="decide",
            ),
        ]

    def list_view(self, request: ConsoleRequest) -> HttpResponse:
        """List pending requests, then decided ones."""
        viewer, before = request.viewer, key_from(request.GET.get("before", ""))
        rows = list(decided(viewer, before=before)[: PAGE_SIZE + 1])
        older = rows[PAGE_SIZE - 1].pk if len(rows) > PAGE_SIZE else None
        return render_page(
            request,
            "approvals/list.html",
            rule=_rule(viewer),
            waiting=_waiting(viewer),
            rows=request_rows(viewer, rows[:PAGE_SIZE]),
            older=older,
        )

    def waiting_view(self, request: ConsoleRequest) -> HttpResponse:
        """Render the pending requests as a fragment, polled by the list."""
        viewer = request.viewer
        context = {"waiting": _waiting(viewer), "member": viewer.member, "rule": _rule(viewer)}
        return TemplateResponse(request, "approvals/_waiting.html", context)

    def detail_view(self, request: ConsoleRequest, key: UUID) -> HttpResponse:
        """Show one request with the record that would be lost; the view is logged."""
        viewer = request.viewer
        found = get_object_or_404(visible_requests(viewer), call_id=key)
        (row,) = request_rows(viewer, [found])
        title = f"{row.title}: {found.target_label or found.target_id}"
        has_any = bool(found.arguments) or found.snapshot is not None
        contents = authorize_content_view(viewer, call_id=found.call_id, label=title, has_any=has_any)
        return render_page(request, "approvals/detail.html", title=title, row=row, contents=contents)

    def decide_view(self, request: ConsoleRequest, key: UUID) -> HttpResponse:
        """Approve or deny the call."""
        viewer = request.viewer
        found = get_object_or_404(ApprovalRequest, call_id=key, org_id=viewer.org_id)
        # Only an explicit approve approves.
        is_approved = request.POST.get("do") == "approve"
        try:
            decide_approval(
                key=found.pk, org_id=viewer.org_id, is_approved=is_approved, actor=viewer.member.display_identity
            )
        except NotDecidableError:
            messages.warning(request, "Already decided or expired.")
        except AuditUnavailableError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _decision_message(found, is_approved))
        return HttpResponseRedirect(reverse("console:approvals:list"))

    def policy_view(self, request: ConsoleRequest) -> HttpResponseBase:
        """Show or change the approval rules; Auditors may read them."""
        if request.method == "POST":
            return admin_required(recent_auth_required(self._change))(request)
        return reviewer_required(self._policy_page)(request)

    def _change(self, request: ConsoleRequest) -> HttpResponse:
        viewer = request.viewer
        if request.method != "POST":
            return self._policy_page(request)
        form = RuleForm(viewer, request.POST, rule=get_approval_rule(viewer.org_id))
        if not form.is_valid():
            return self._policy_page(request, form, status=400)
        try:
            is_changed = change_approval_rule(org_id=viewer.org_id, actor=viewer.member.display_identity, **form.rule())
        except AuditUnavailableError as error:
            form.add_error(None, str(error))
            return self._policy_page(request, form, status=503)
        messages.success(request, "Approval rules saved." if is_changed else "Nothing was changed.")
        return HttpResponseRedirect(reverse("console:approvals:policy"))

    def _policy_page(self, request: ConsoleRequest, form: RuleForm | None = None, *, status: int = 200) -> HttpResponse:
        viewer = request.viewer
        rule = get_approval_rule(viewer.org_id)
        return render_page(
            request,
            "approvals/policy.html",
            status=status,
            title="Approval rules",
            form=form or RuleForm(viewer, rule=rule),
            is_on=is_active(rule),
            may_change=viewer.member.administers,
        )


def _waiting(viewer: Viewer) -> list[RequestRow]:
    return request_rows(viewer, waiting(viewer).defer("snapshot").order_by("expires_at", "pk")[:PAGE_SIZE])


def _rule(viewer: Viewer) -> dict[str, Any]:
    """Return the active rules as `approvals/list.html` shows them."""
    rule = get_approval_rule(viewer.org_id)
    destructive = [tool for tool in TOOLS.values() if tool.kind is CallKind.DESTRUCTIVE]
    return {
        "is_on": is_active(rule),
        "tools": [TOOLS[name].title for name in rule.tools if name in TOOLS],
        "is_every_tool": len(rule.tools) == len(destructive),
        "tokens": len(rule.tokens),
        "hourly_limit": rule.hourly_limit,
        "is_in_assistant": rule.answered_in == "client",
        "minutes": rule.lasts_s // 60,
    }


def _decision_message(request: ApprovalRequest, is_approved: bool) -> str:
    what = request.target_label or request.target_id
    if is_approved:
        return f"Approved: the call on “{what}” is allowed once."
    return f"Denied: the call on “{what}” is rejected."


site.add(ApprovalsSection(site))
