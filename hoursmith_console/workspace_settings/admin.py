"""The settings page; imported by Django's admin at start-up."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from hoursmith_console.core.forms import Form
from hoursmith_console.core.permissions import admin_required, recent_auth_required, reviewer_required
from hoursmith_console.core.section import ConsoleSection
from hoursmith_console.core.site import site
from hoursmith_console.core.views import page_to_return_to, render_page
from hoursmith_console.token_policy.models import TokenPolicy
from hoursmith_console.workspace_settings.deployment import console_facts, rows_beyond
from hoursmith_console.workspace_settings.pausing import PauseForm, handle_pause_form, pause_of
from hoursmith_console.workspaces.settings import change_setting
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.auth.restrictions.snapshots import turn_off_snapshots, turn_on_snapshots
from mcpbridge.models import Freeze, SnapshotStop

FEWEST_DAYS = 30


class RetentionForm(Form):
    """How long audit entries are kept."""

    days = forms.IntegerField(
        label="Days to keep",
        required=False,
        min_value=FEWEST_DAYS,
        max_value=36500,
        help_text="Leave empty to keep forever.",
    )


class SettingsSection(ConsoleSection):
    """One page: Owners and Admins change it, Auditors read it, others may not."""

    area, title, menu_order, is_for_reviewers = "settings", "Settings", 9, True

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path("", guard(require_safe(reviewer_required(self.list_view))), name="list"),
            path("pause/", guard(require_POST(admin_required(recent_auth_required(self.pause_view)))), name="pause"),
            path(
                "snapshots/",
                guard(require_POST(admin_required(recent_auth_required(self.snapshots_view)))),
                name="snapshots",
            ),
            path(
                "two-factor/",
                guard(require_POST(admin_required(recent_auth_required(self.two_factor_view)))),
                name="two_factor",
            ),
            path(
                "retention/",
                guard(require_POST(admin_required(recent_auth_required(self.retention_view)))),
                name="retention",
            ),
        ]

    def list_view(self, request: ConsoleRequest) -> HttpResponse:
        """Show all settings."""
        return render_page(request, "workspace_settings/page.html", **_sections(request.viewer))

    def pause_view(self, request: ConsoleRequest) -> HttpResponse:
        """Pause or resume destructive tools for the whole workspace."""
        handle_pause_form(request, org_id=request.viewer.org_id)
        return HttpResponseRedirect(page_to_return_to(request) or f"{reverse('console:settings:list')}#pause")

    def snapshots_view(self, request: ConsoleRequest) -> HttpResponse:
        """Turn snapshots on or off."""
        viewer = request.viewer
        change = turn_on_snapshots if request.POST.get("do") == "on" else turn_off_snapshots
        change(org_id=viewer.org_id, actor=viewer.member.display_identity)
        return _back("snapshots")

    def two_factor_view(self, request: ConsoleRequest) -> HttpResponse:
        """Require two-factor authentication of reviewers, or stop requiring it."""
        return _save(request, "requires_two_factor", request.POST.get("do") == "on", "two-factor")

    def retention_view(self, request: ConsoleRequest) -> HttpResponse:
        """Set how long audit entries are kept."""
        form = RetentionForm(request.POST)
        if not form.is_valid():
            return render_page(
                request,
                "workspace_settings/page.html",
                status=400,
                **{**_sections(request.viewer), "retention_form": form},
            )
        return _save(request, "retention_days", form.cleaned_data["days"], "retention")


def _save(request: ConsoleRequest, rule: str, value: bool | int | None, section: str) -> HttpResponse:
    member = request.viewer.member
    if change_setting(workspace=member.workspace, rule=rule, value=value, actor=member.display_identity):
        messages.success(request, "Setting saved.")
    return _back(section)


def _back(section: str) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('console:settings:list')}#{section}")


def _sections(viewer: Viewer) -> dict[str, Any]:
    workspace, org_id = viewer.member.workspace, viewer.org_id
    days = workspace.retention_days
    return {
        "may_change": viewer.member.administers,
        "facts": console_facts(),
        "policy": TokenPolicy.objects.filter(workspace=workspace).first(),
        "policy_address": _address("console:token_policy:edit"),
        "destinations_address": _address("console:audit:destinations"),
        "pause": pause_of(org_id=org_id),
        "pause_form": PauseForm(),
        "paused_tokens": Freeze.objects.filter(org_id=org_id, lifted_at=None).exclude(prefix="")[:50],
        "snapshot_stop": SnapshotStop.objects.filter(org_id=org_id, lifted_at=None).first(),
        "retention_form": RetentionForm(initial={"days": days}),
        "retention_edge": timezone.now() - timedelta(days=days) if days else None,
        "rows_beyond": rows_beyond(org_id, days) if days else 0,
    }


def _address(name: str) -> str:
    """Return the address of a page, empty if it is not installed."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


site.add(SettingsSection(site))
