"""Leaked-tokens page. Pasted text stays in the browser; only token prefixes are sent."""

from collections.abc import Sequence
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from hoursmith_console.core.views import render_page
from hoursmith_console.leaked_tokens.models import LeakReport
from hoursmith_console.leaked_tokens.services import (
    AT_MOST,
    block_tokens,
    close_report,
    open_reports,
    parse_token_prefixes,
    report_leaked_tokens,
    reported_tokens,
)
from hoursmith_console.rotations.models import RotationKind
from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.workspaces.viewer import ConsoleRequest
from mcpbridge.models import ObservedToken, TokenRef


def reports(request: ConsoleRequest) -> HttpResponse:
    """Show the report form, and the tokens that the URL names."""
    if request.method == "POST":
        return _report(request)
    return _page(request, parse_token_prefixes(request.GET.getlist("t")))


def block(request: ConsoleRequest) -> HttpResponse:
    """Block the chosen tokens."""
    refs, tokens = _chosen(request)
    count = block_tokens(tokens=tokens, member=request.viewer.member)
    blocked = f"{count} token{'' if count == 1 else 's'} blocked."
    messages.success(request, blocked if count else "Already blocked.")
    return _back(parse_token_prefixes(request.POST.getlist("shown")) or refs)


def rotate(request: ConsoleRequest) -> HttpResponse:
    """Start rotations of the chosen tokens as leaked, or change open ones to leaked."""
    refs, tokens = _chosen(request)
    viewer = request.viewer
    rotations = [
        start_rotation(
            env=token.env,
            prefix=token.prefix,
            workspace=viewer.member.workspace,
            kind=RotationKind.LEAKED,
            actor=viewer.member.display_identity,
            reason="Reported as leaked",
        )
        for token in tokens
    ]
    if len(rotations) == 1:
        return HttpResponseRedirect(rotations[0].get_absolute_url())
    messages.success(request, f"{len(rotations)} rotation{'' if len(rotations) == 1 else 's'} in progress.")
    return _back(refs)


def close(request: ConsoleRequest, key: int) -> HttpResponse:
    """Close a report."""
    viewer = request.viewer
    report = get_object_or_404(LeakReport, pk=key, workspace_id=viewer.member.workspace_id)
    close_report(report=report, actor=viewer.member.display_identity, note=request.POST.get("note", ""))
    messages.success(request, "Report closed.")
    return _back([])


def _report(request: ConsoleRequest) -> HttpResponse:
    viewer = request.viewer
    refs = parse_token_prefixes(request.POST.getlist("prefix"))
    if not refs:
        error = "No token prefix found. A prefix is hsk_live_ and 12 characters."
        return _page(request, [], error=error, status=400)
    report_leaked_tokens(
        workspace=viewer.member.workspace,
        refs=refs,
        actor=viewer.member.display_identity,
        found_in=request.POST.get("found_in", ""),
    )
    return _back(refs)


def _chosen(request: ConsoleRequest) -> tuple[list[TokenRef], list[ObservedToken]]:
    """Return the tokens named in the form that the viewer may see, and so may act on."""
    refs = parse_token_prefixes(request.POST.getlist("prefix"))
    tokens = [each.token for each in reported_tokens(request.viewer, refs) if each.token is not None]
    if not tokens:
        raise Http404("Token not found.")
    return refs, tokens


def _back(refs: Sequence[TokenRef]) -> HttpResponseRedirect:
    query = urlencode([("t", ref.address) for ref in refs])
    return HttpResponseRedirect(reverse("console:leaked_tokens:list") + (f"?{query}" if query else ""))


def _page(request: ConsoleRequest, refs: Sequence[TokenRef], *, error: str = "", status: int = 200) -> HttpResponse:
    viewer = request.viewer
    found = reported_tokens(viewer, refs)
    known = [each for each in found if each.token is not None]
    reports = list(open_reports(viewer).select_related("workspace")[:AT_MOST])
    return render_page(
        request,
        "leaked_tokens/list.html",
        title="Leaked tokens",
        status=status,
        error=error,
        found=found,
        known=known,
        unblocked=[each for each in known if not each.is_stopped],
        unrotated=[each for each in known if not (each.is_rotating or each.is_revoked)],
        reports=reports,
    )
