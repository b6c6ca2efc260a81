"""Pages of bulk actions: the preview that asks for confirmation, and the progress of a job."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hoursmith_console.campaigns.forms import DEFAULT_PERIOD
from hoursmith_console.campaigns.services import CampaignError
from hoursmith_console.core.forms import Form
from hoursmith_console.core.permissions import RoleNotAllowedError, recent_auth_required
from hoursmith_console.core.views import render_page
from hoursmith_console.rotations.notices.mails import is_mail_configured
from hoursmith_console.token_inventory.bulk.forms import BlockTokensForm, RequestTokensForm
from hoursmith_console.token_inventory.bulk.obstacles import can_do
from hoursmith_console.token_inventory.bulk.preview import preview_of
from hoursmith_console.token_inventory.bulk.progress import progress_of
from hoursmith_console.token_inventory.bulk.selection import Selection, selection_of
from hoursmith_console.token_inventory.bulk.services import MAX_TOKENS, BulkOrder, start_bulk_job, work_off
from hoursmith_console.token_inventory.models import BulkAction, BulkJob
from hoursmith_console.token_issuer.minting import new_form_id
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.audit.errors import AuditUnavailableError

if TYPE_CHECKING:
    from hoursmith_console.token_inventory.admin import TokenAdmin

_TITLE_LENGTH = 120


@dataclass(frozen=True, slots=True)
class _Words:
    """How the pages name an action: as a button, what is done to one, and what cannot be."""

    button: str
    verb: str
    done: str
    not_done: str


WORDS = {
    BulkAction.BLOCK: _Words("Block tokens", "Block", "Blocked", "Not blocked"),
    BulkAction.ROTATION: _Words("Request rotation", "Rotate", "Rotation requested", "Not requested"),
    BulkAction.REVOCATION: _Words("Request revocation", "Revoke", "Revocation requested", "Not requested"),
}


class BulkViews:
    """`/tokens/bulk/`."""

    def __init__(self, admin: "TokenAdmin") -> None:
        self._admin = admin

    def urls(self) -> list[URLPattern]:
        """Return the URL patterns: one for each action, and those of a job."""
        guard, form = self._admin.admin_site.admin_view, require_http_methods(["GET", "HEAD", "POST"])
        actions = [(f"bulk/{action.value}/", action) for action in BulkAction]
        return [
            *(path(where, guard(form(self._view(action))), name=f"bulk_{action.value}") for where, action in actions),
            path("bulk/<int:key>/", guard(require_safe(self.job)), name="bulk_job"),
            path("bulk/<int:key>/live/", guard(require_safe(self.live)), name="bulk_live"),
            path("bulk/<int:key>/continue/", guard(require_POST(self.proceed)), name="bulk_continue"),
        ]

    def job(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Show the progress of a job, then its result for each token."""
        job = self._job(request, key)
        return render_page(
            request, "tokens/bulk_job.html", title=job.get_action_display(), **_job_context(request, job)
        )

    def live(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """htmx fragment polled while the job runs."""
        job = self._job(request, key)
        answer = render(request, "tokens/_bulk_progress.html", _job_context(request, job))
        if job.ended_at is not None:
            answer["HX-Refresh"] = "true"
        return answer

    def proceed(self, request: ConsoleRequest, key: int) -> HttpResponse:
        """Work off a step of the member's own job now; background jobs do the same without being asked."""
        job = self._job(request, key)
        if job.member_id != request.viewer.member.pk:
            raise PermissionDenied
        _step(request, job)
        return HttpResponseRedirect(job.get_absolute_url())

    def _job(self, request: ConsoleRequest, key: int) -> BulkJob:
        jobs = BulkJob.objects.visible_to(request.viewer).select_related("workspace", "campaign__workspace")
        return get_object_or_404(jobs, pk=key)

    def _view(self, action: BulkAction) -> Callable[..., HttpResponseBase]:
        def work(request: ConsoleRequest) -> HttpResponse:
            return self._confirm(request, action)

        guarded = recent_auth_required(work)

        def view(request: ConsoleRequest) -> HttpResponseBase:
            if not can_do(request.viewer.member, action):
                raise RoleNotAllowedError
            return guarded(request)

        return view

    def _confirm(self, request: ConsoleRequest, action: BulkAction) -> HttpResponse:
        """Preview the selected tokens; POST starts the job and works off its first step."""
        selection = selection_of(request, self._admin)
        if not selection.tokens or selection.is_too_many:
            many = f"Select at most {MAX_TOKENS:,} tokens at once. Filter the list to select fewer."
            messages.error(request, many if selection.is_too_many else "Select at least one token.")
            return HttpResponseRedirect(reverse("console:tokens:list"))
        form = _form(request, action, selection)
        if request.method != "POST" or not form.is_valid():
            return self._page(request, action, selection, form)
        if form.cleaned_data["digest"] != selection.digest:
            fresh = _form(request, action, selection, is_shown_again=True)
            return self._page(request, action, selection, fresh, status=409, has_changed=True)
        preview = preview_of(request.viewer, action, selection.tokens)
        try:
            job = start_bulk_job(
                member=request.viewer.member,
                order=_order(action, selection, len(preview.tokens), form),
                tokens=selection.tokens,
                possible=preview.tokens,
            )
        except (CampaignError, AuditUnavailableError) as error:
            form.add_error(None, str(error))
            return self._page(request, action, selection, form, status=503)
        _step(request, job)
        return HttpResponseRedirect(job.get_absolute_url())

    def _page(
        self,
        request: ConsoleRequest,
        action: BulkAction,
        selection: Selection,
        form: Form,
        *,
        status: int = 0,
        has_changed: bool = False,
    ) -> HttpResponse:
        words = WORDS[action]
        return render_page(
            request,
            "tokens/bulk.html",
            title=words.button,
            status=status or (400 if form.is_bound else 200),
            action=action.value,
            words=words,
            selection=selection,
            has_changed=has_changed or selection.has_changed,
            preview=preview_of(request.viewer, action, selection.tokens),
            form=form,
            can_mail=is_mail_configured(),
        )


def _form(request: ConsoleRequest, action: BulkAction, selection: Selection, *, is_shown_again: bool = False) -> Form:
    kind = BlockTokensForm if action is BulkAction.BLOCK else RequestTokensForm
    initial: dict[str, Any] = {"form": new_form_id(), "digest": selection.digest}
    if action is not BulkAction.BLOCK:
        initial["due_on"] = timezone.now().date() + DEFAULT_PERIOD
    if is_shown_again:
        kept = {name: request.POST.get(name, "") for name in ("reason", "due_on") if name in request.POST}
        return kind(initial={**initial, **kept})
    return kind(request.POST if request.method == "POST" else None, initial=initial)


def _order(action: BulkAction, selection: Selection, count: int, form: Form) -> BulkOrder:
    many = f"{count:,} token{'' if count == 1 else 's'}"
    which = f"{many}: {selection.filters}" if selection.filters else f"{many} selected"
    return BulkOrder(
        action=action,
        form=form.cleaned_data["form"],
        reason=form.cleaned_data["reason"],
        title=f"{WORDS[action].verb} {which}"[:_TITLE_LENGTH],
        due_on=form.cleaned_data.get("due_on"),
    )


def _step(request: ConsoleRequest, job: BulkJob) -> None:
    try:
        work_off(job)
    except AuditUnavailableError as error:
        messages.error(request, f"{error} The rest is done as soon as it can be recorded.")


def _job_context(request: ConsoleRequest, job: BulkJob) -> dict[str, Any]:
    return {"job": job, "words": WORDS[BulkAction(job.action)], "progress": progress_of(request.viewer, job)}
