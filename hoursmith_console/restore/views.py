"""The page that restores what one destructive call archived or deleted. It says first what does not come back."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from hoursmith_console.audit.calls import DestructiveCall, State, with_outcomes
from hoursmith_console.audit.content_access import authorize_content_view
from hoursmith_console.core.permissions import recent_auth_required
from hoursmith_console.core.views import render_page
from hoursmith_console.restore.models import Restore
from hoursmith_console.restore.plan import RestorePlan, plan_restore
from hoursmith_console.restore.services import (
    AlreadyRestoredError,
    NothingToResolveError,
    current_restore,
    is_unknown,
    last_failed_restore,
    resolve_restore,
    restore_record,
)
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_issuer.acting import BlockedTokenError
from hoursmith_console.token_issuer.claims import ClaimError
from hoursmith_console.token_issuer.protocol import UnknownMemberError
from hoursmith_console.tokens.querysets import visible_rows
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.core.credential import CredentialError
from mcpbridge.models import AuditEvent, AuditPhase, Result
from mcpbridge.tools import UNDOS

FIELD = "token"
_CHANGED_NOTHING = "Nothing was archived or deleted, so there is nothing to restore."
_IN_PROGRESS = "The call is still in progress. Wait until its outcome is known."
_BLOCKED = "This token is blocked in this console. Paste another one of yours."
_NO_MEMBER = "You are no longer a member of this workspace in Hoursmith."
_NOT_CHECKED = "Check in Hoursmith first that it is gone, and tick the box."


@sensitive_post_parameters(FIELD)
def restore(request: ConsoleRequest, key: UUID) -> HttpResponseBase:
    """Show what would come back and what would not; POST restores it."""
    # Before re-authentication, so that a call that is not there gives every member the same answer.
    return recent_auth_required(_restore)(request, _call(request, key))


def resolve(request: ConsoleRequest, key: UUID) -> HttpResponseBase:
    """Record whether the record is there, after a restore with an unknown outcome."""
    return recent_auth_required(_resolve)(request, _call(request, key))


def _restore(request: ConsoleRequest, call: DestructiveCall) -> HttpResponse:
    plan = plan_restore(call.intent, request.viewer.member)
    if request.method != "POST":
        return _page(request, call, plan)
    if why := _why_not(call, plan):
        return _page(request, call, plan, status=409, error=why)
    if needs_check(call, plan) and not request.POST.get("gone"):
        return _page(request, call, plan, status=400, error=_NOT_CHECKED)
    try:
        attempt = restore_record(plan, member=request.viewer.member, token=request.POST.get(FIELD, ""))
    except AlreadyRestoredError:
        return _page(request, call, plan, status=409)
    except CredentialError as fault:
        return _page(request, call, plan, status=400, error=fault.explanation)
    except ClaimError as error:
        return _page(request, call, plan, status=409, error=str(error))
    except BlockedTokenError:
        return _page(request, call, plan, status=409, error=_BLOCKED)
    except UnknownMemberError:
        return _page(request, call, plan, status=409, error=_NO_MEMBER)
    except AuditUnavailableError as error:
        return _page(request, call, plan, status=503, error=str(error))
    return _after(request, call, plan, attempt)


def _resolve(request: ConsoleRequest, call: DestructiveCall) -> HttpResponse:
    attempt = current_restore(call.intent)
    if attempt is None:
        raise Http404("No restore of this call has an unknown outcome.")
    came_back = request.POST.get("found") == "yes"
    actor = request.viewer.member.display_identity
    try:
        resolve_restore(attempt, call.intent, came_back=came_back, actor=actor)
    except NothingToResolveError:
        messages.warning(request, "Already resolved, or the outcome has been recorded.")
    else:
        messages.success(request, "Saved.")
    page = "console:audit:detail" if came_back else "console:restore:new"
    return HttpResponseRedirect(reverse(page, args=[call.intent.call_id]))


def needs_check(call: DestructiveCall, plan: RestorePlan) -> bool:
    """Return whether the record may still be there, so that a new one could be a second one."""
    return call.state is not State.SUCCEEDED and plan.undo.creates


def _call(request: ConsoleRequest, key: UUID) -> DestructiveCall:
    """Return the destructive call, if the viewer sees it and it can be undone."""
    viewer = request.viewer
    row = get_object_or_404(visible_rows(viewer, AuditEvent.objects.all()), phase=AuditPhase.INTENT, call_id=key)
    if viewer.member.is_auditor:
        raise PermissionDenied
    if row.tool not in UNDOS:
        raise Http404("This call cannot be undone.")
    return with_outcomes([row])[0]


def _why_not(call: DestructiveCall, plan: RestorePlan) -> str:
    if call.state is State.UNDER_WAY:
        return _IN_PROGRESS
    if call.state is not State.SUCCEEDED and not call.may_be_done:
        return _CHANGED_NOTHING
    if plan.owner:
        return f"Only {plan.owner}, whose {plan.noun} it was, can restore it."
    return plan.refusal


def _after(request: ConsoleRequest, call: DestructiveCall, plan: RestorePlan, attempt: Restore) -> HttpResponse:
    """Lead to the entry after a success; otherwise show what went wrong."""
    if attempt.result == Result.SUCCEEDED:
        messages.success(request, f"The {plan.noun} was restored.")
        return HttpResponseRedirect(reverse("console:audit:detail", args=[call.intent.call_id]))
    return _page(request, call, plan, status=409 if attempt.is_void else 502)


def _page(
    request: ConsoleRequest, call: DestructiveCall, plan: RestorePlan, *, status: int = 200, error: str = ""
) -> HttpResponse:
    row, viewer = call.intent, request.viewer
    attempt = current_restore(row)
    context: dict[str, Any] = {
        "title": f"Restore {row.target_label or plan.noun}",
        "call": call,
        "intent": row,
        "plan": plan,
        "contents": authorize_content_view(
            viewer, call_id=row.call_id, label=f"{row.tool} {row.target_label}".strip(), has_any=plan.undo.creates
        ),
        "attempt": attempt,
        "is_unknown": attempt is not None and is_unknown(attempt),
        "failed": None if attempt else last_failed_restore(row),
        "why_not": _why_not(call, plan),
        "needs_check": needs_check(call, plan),
        "error": error,
        "takes_token": not current_issuer().supports_minting,
        "tokens_page": current_issuer().page,
        "field": FIELD,
        "area_title": "Audit log",
        "area_address": "console:audit:list",
    }
    answer = render_page(request, "restore/restore.html", status=status, **context)
    if request.method == "POST":
        answer["Cache-Control"] = "no-store, private, max-age=0"
    return answer
