"""Token list and token pages."""

from collections.abc import Mapping
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from hoursmith_console.audit.rows import audit_rows
from hoursmith_console.core.lists.admin import ReadOnlyModelAdmin
from hoursmith_console.core.permissions import admin_required, recent_auth_required
from hoursmith_console.core.site import site
from hoursmith_console.rotations.claims import release_claim
from hoursmith_console.rotations.permissions import can_release_claim, can_rotate, can_unblock
from hoursmith_console.token_inventory.blocking.views import BlockViews
from hoursmith_console.token_inventory.bulk.views import BulkViews
from hoursmith_console.token_inventory.claim_views import claim as claim_view
from hoursmith_console.token_inventory.filters import DeletionFilter, StateFilter
from hoursmith_console.token_inventory.queries import (
    ORDERS,
    SORT_COLUMNS,
    choice_counts,
    search_tokens,
    sortable_tokens,
)
from hoursmith_console.token_inventory.revoking.views import revoke
from hoursmith_console.token_inventory.rows import token_rows
from hoursmith_console.token_inventory.status import token_statuses
from hoursmith_console.token_inventory.timeline import timeline
from hoursmith_console.token_inventory.used_tools import used_tools
from hoursmith_console.token_issuer.claims import ClaimError
from hoursmith_console.token_policy.flags import token_flags
from hoursmith_console.token_policy.privilege_hints import privilege_hints
from hoursmith_console.token_policy.services import get_policy
from hoursmith_console.token_policy.token_filter import PolicyFilter
from hoursmith_console.tokens.activity_rows import activity_rows
from hoursmith_console.tokens.chart import draw
from hoursmith_console.tokens.filters import (
    BlockedFilter,
    EnvironmentFilter,
    LastUsedFilter,
    OwnerFilter,
    RoleFilter,
    TokenAssistantFilter,
    token_key,
)
from hoursmith_console.tokens.labels import ref_of, token_labels
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.numbers import activity_kept_from, token_numbers
from hoursmith_console.tokens.querysets import visible_rows, visible_tokens
from hoursmith_console.tokens.usage import DAYS, calls_by_day, hours_of
from hoursmith_console.workspace_settings.pausing import PauseForm, handle_pause_form, pause_of
from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.models import AuditEvent, AuditPhase, ObservedToken, RejectedCredential, ToolCall

LATEST = 10


@admin.register(ObservedToken, site=site)
class TokenAdmin(ReadOnlyModelAdmin):
    """List and pages of tokens that Hoursmith accepted through the gateway."""

    keeps_views = True
    area = "tokens"
    title = "Tokens"
    menu_order = 1
    orders = ORDERS
    sort_columns = SORT_COLUMNS
    is_short = True
    quick_filters = (
        ("Idle for 30 days", "used", "idle"),
        ("Overdue", "policy", "due"),
        ("Blocked", "blocked", "yes"),
    )
    # Add new token filters here.
    list_filter = (
        RoleFilter,
        EnvironmentFilter,
        OwnerFilter,
        TokenAssistantFilter,
        LastUsedFilter,
        DeletionFilter,
        BlockedFilter,
        StateFilter,
        PolicyFilter,
    )
    search_fields = ("token_name", "prefix")
    search_help_text = "Prefix, name, owner or assistant"

    def get_urls(self) -> list[URLPattern]:
        guard, views = self.admin_site.admin_view, BlockViews(self)
        form = require_http_methods(["GET", "HEAD", "POST"])
        return [
            *BulkViews(self).urls(),
            path("claim/", guard(form(claim_view)), name="claim"),
            path("block/", guard(form(views.block)), name="block"),
            path("revoke/", guard(form(revoke)), name="revoke"),
            path("unblock/", guard(form(views.unblock)), name="unblock"),
            path("<int:key>/release-claim/", guard(require_POST(self.release_claim_view)), name="release_claim"),
            path(
                "<int:key>/pause/",
                guard(require_POST(admin_required(recent_auth_required(self.pause_view)))),
                name="pause",
            ),
            *super().get_urls(),
        ]

    def pause_view(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Pause or resume destructive tools for one token."""
        token = get_object_or_404(self.get_queryset(request), pk=key)
        handle_pause_form(request, org_id=token.org_id, env=token.env, prefix=token.prefix)
        return HttpResponseRedirect(reverse("console:tokens:detail", args=[key]))

    def release_claim_view(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Release the claim on the token."""
        viewer = request.viewer
        token = get_object_or_404(self.get_queryset(request), pk=key)
        ours = TokenClaim.objects.filter(member__workspace=viewer.member.workspace_id).select_related("member")
        claim = get_object_or_404(ours, env=token.env, prefix=token.prefix)
        if not can_release_claim(viewer.member, claim):
            raise PermissionDenied
        try:
            release_claim(claim=claim, member=viewer.member)
        except (ClaimError, AuditUnavailableError) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"Claim released. The owner of {token.masked_token} can now verify it.")
        if visible_tokens(viewer).filter(pk=key).exists():
            return HttpResponseRedirect(reverse("console:tokens:detail", args=[key]))
        return HttpResponseRedirect(reverse("console:tokens:list"))

    def visible_to(self, viewer: Viewer) -> QuerySet[ObservedToken]:
        return sortable_tokens(viewer)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if self.is_exact_search(search_term):
            return super().get_search_results(request, queryset, search_term)
        return search_tokens(cast(ConsoleRequest, request).viewer, queryset, search_term), False

    def choice_counts(self, viewer: Viewer) -> Mapping[str, Mapping[str, int]]:
        return choice_counts(viewer)

    def list_context(self, viewer: Viewer, rows: list[ObservedToken]) -> dict[str, Any]:
        policy = get_policy(viewer.member.workspace)
        return {"rows": token_rows(viewer, rows, policy), "has_policy": policy.max_age_days}

    def detail_context(self, viewer: Viewer, row: ObservedToken) -> dict[str, Any]:
        same = {"org_id": row.org_id, "env": row.env, "prefix": row.prefix}
        intents = visible_rows(viewer, AuditEvent.objects.filter(phase=AuditPhase.INTENT, **same))[:LATEST]
        card, state = token_labels(viewer, [row])[ref_of(row)], token_statuses(viewer, [row])[ref_of(row)]
        owner = card.owner
        claim = TokenClaim.objects.filter(env=row.env, prefix=row.prefix, member=owner).select_related("member").first()
        now, kept_from = timezone.now(), activity_kept_from(viewer)
        hints = privilege_hints([row], now=now)
        return {
            "flags": token_flags(viewer.member.workspace, [row], hints=hints, now=now)[row.pk],
            "privilege_hint": hints.get(row.pk),
            "state": state,
            "can_rotate": can_rotate(viewer.member, owner),
            "can_release_claim": claim is not None and can_release_claim(viewer.member, claim),
            "can_unblock": state.block is not None and can_unblock(viewer.member, state.block),
            "title": row.token_name or "Unnamed token",
            "pause": pause_of(org_id=row.org_id, env=row.env, prefix=row.prefix),
            "pause_form": PauseForm() if viewer.member.administers else None,
            "token": row,
            "token_key": token_key(row),
            "card": card,
            "numbers": token_numbers(row, kept_from=kept_from),
            "chart": draw(
                calls_by_day(hours_of(row, row.org_id), DAYS, kept_from=kept_from), "day", token=token_key(row)
            ),
            "tools": used_tools(row, kept_from=kept_from),
            "networks": row.networks.all()[:LATEST],
            "timeline": timeline(row),
            "clients": row.clients.all()[:50],
            # Requests with the full token first, so that prefix-only ones cannot push them out of the list.
            "refused": RejectedCredential.objects.filter(env=row.env, prefix=row.prefix).order_by(
                "-matches_token", "-last_at"
            )[:LATEST],
            "destroyed": audit_rows(viewer, intents),
            "calls": activity_rows(viewer, visible_rows(viewer, ToolCall.objects.filter(**same))[:LATEST]),
        }
