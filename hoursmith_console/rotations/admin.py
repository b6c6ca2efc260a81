"""Rotation list and pages."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hoursmith_console.audit.evidence.views import evidence_page
from hoursmith_console.core.lists.admin import ReadOnlyModelAdmin
from hoursmith_console.core.lists.changelist import ChoiceFilter, KeysetChangeList
from hoursmith_console.core.lists.pagination import Order
from hoursmith_console.core.permissions import auditor_may_post
from hoursmith_console.core.site import site
from hoursmith_console.rotations.models import Rotation, RotationKind, RotationOutcome
from hoursmith_console.rotations.notices.views import snooze
from hoursmith_console.rotations.rows import rotation_rows
from hoursmith_console.rotations.state import Step
from hoursmith_console.rotations.wizard.evidence import scope_of_rotation
from hoursmith_console.rotations.wizard.screen import build_screen, screen_context
from hoursmith_console.rotations.wizard.setups import setups_of
from hoursmith_console.rotations.wizard.start_views import StartViews
from hoursmith_console.rotations.wizard.views import Wizard
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer

MAX_OPEN_ROTATIONS = 100


class StateFilter(ChoiceFilter):
    """Filter by status."""

    title = "status"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [
            ("under_way", "in progress"),
            ("late", "overdue"),
            ("confirming", "confirming that it is unused"),
            ("settled", "nothing left to do"),
            *RotationOutcome.choices,
        ]

    def apply(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        match value:
            case "under_way":
                return queryset.filter(pk__in=_keys(Rotation.objects.needing_action()))
            case "late":
                late = Rotation.objects.needing_action().filter(due_on__lt=timezone.now().date())
                return queryset.filter(pk__in=_keys(late))
            case "confirming":
                return queryset.filter(pk__in=_keys(Rotation.objects.confirming()))
            case "settled":
                is_confirming = Q(pk__in=_keys(Rotation.objects.confirming()))
                return queryset.filter(is_confirming | Q(outcome=RotationOutcome.DONE))
        return queryset.filter(outcome=value)


def _keys(rotations: QuerySet[Rotation]) -> QuerySet[Any]:
    return rotations.order_by().values("pk")


class KindFilter(ChoiceFilter):
    """Filter by reason."""

    title = "reason"
    parameter_name = "kind"
    field = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return RotationKind.choices


class OwnerFilter(ChoiceFilter):
    """Filter by owner; only for members who see the whole workspace."""

    title = "owner"
    parameter_name = "owner"
    field = "owner_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        if not self.viewer.member.sees_workspace:
            return []
        found = Rotation.objects.visible_to(self.viewer).exclude(owner=None).order_by("owner__name", "owner_id")
        offered = {str(pk): name for pk, name in found.values_list("owner_id", "owner__name").distinct()}
        asked = self.value() or ""
        if asked not in offered and asked.isdecimal():
            # The list of members leads here for each of them.
            members = Member.objects.filter(workspace_id=self.viewer.member.workspace_id, pk=asked[:18])
            offered.update((str(pk), name) for pk, name in members.values_list("pk", "name"))
        return list(offered.items())


class CampaignFilter(ChoiceFilter):
    """Rotations of one campaign. Set by links, so it is offered only while it is active."""

    title = "campaign"
    parameter_name = "campaign"
    field = "campaign_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        asked = self.value() or ""
        if not asked.isdecimal():
            return []
        found = Rotation.objects.visible_to(self.viewer).filter(campaign_id=asked[:18]).order_by("pk")
        return [(asked, title) for title in found.values_list("campaign__title", flat=True)[:1]]


class OpenRotationsFirst(KeysetChangeList):
    """List open rotations first, all of them, then a page of ended ones."""

    def get_results(self, request: HttpRequest) -> None:
        matching = self.queryset
        is_first_page = not (self.before or self.after)
        under_way = matching.filter(ended_at=None).order_by("-requested_at", "-pk")
        self.under_way = list(under_way[:MAX_OPEN_ROTATIONS]) if is_first_page else []
        self.queryset = matching.exclude(ended_at=None)
        super().get_results(request)
        self.counted = [matching]
        # One list for Django; the template splits it again.
        self.result_list = [*self.under_way, *self.result_list]


@admin.register(Rotation, site=site)
class RotationAdmin(ReadOnlyModelAdmin):
    """List of rotations, and the page of each."""

    area = "rotations"
    title = "Rotations"
    menu_order = 4
    orders = {"": Order("requested_at")}
    is_short = True
    list_filter = (StateFilter, KindFilter, OwnerFilter, CampaignFilter)
    search_fields = ("token_name", "prefix", "owner_name", "reason")
    search_help_text = "Token, prefix or owner"

    def get_urls(self) -> list[URLPattern]:
        guard, start = self.admin_site.admin_view, StartViews(self)
        form = require_http_methods(["GET", "HEAD", "POST"])
        return [
            path("requests/snooze/", guard(require_POST(snooze)), name="snooze"),
            path("new/", guard(form(start.new)), name="new"),
            path("offboarding/", guard(require_safe(start.offboarding)), name="offboarding"),
            path("offboarding/<int:member>/", guard(form(start.offboard)), name="offboard"),
            path("<int:key>/evidence/", guard(auditor_may_post(form(self.evidence_view))), name="evidence"),
            *Wizard(self).urls(),
            *super().get_urls(),
        ]

    def visible_to(self, viewer: Viewer) -> QuerySet[Rotation]:
        return Rotation.objects.visible_to(viewer)

    def evidence_view(self, request: ConsoleRequest, key: int) -> HttpResponseBase:
        """Offer and download the evidence of one rotation."""
        return evidence_page(request, scope_of_rotation(get_object_or_404(self.get_queryset(request), pk=key)))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return OpenRotationsFirst

    def list_context(self, viewer: Viewer, rows: list[Rotation]) -> dict[str, Any]:
        shown = rotation_rows(viewer, rows)
        return {
            "under_way": sorted((row for row in shown if row.needs_action), key=lambda row: row.urgency),
            "confirming": [row for row in shown if row.is_confirming],
            "ended": [row for row in shown if row.rotation.ended_at is not None],
        }

    def detail_context(self, viewer: Viewer, row: Rotation) -> dict[str, Any]:
        screen = build_screen(viewer, row)
        context = screen_context(viewer, screen)
        if screen.step in (Step.UPDATE, Step.VERIFY):
            context["setups"] = setups_of(row)
        return {"title": row.token_name or "Unnamed token", **context}
