"""The leak desk: what was pasted stays in the browser, its public parts come here."""

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
    PublicPart,
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
from mcpbridge.models import ObservedToken


def reports(request: ConsoleRequest) -> HttpResponse:
    """The form, and under it what is known of the tokens that the address names."""
    if request.method == "POST":
        return _report(request)
    return _page(request, parse_token_prefixes(request.GET.getlist("t")))


def block(request: ConsoleRequest) -> HttpResponse:
    """Block the tokens at the bridge, all of them that the person may block."""
    parts, tokens = _chosen(request)
    count = block_tokens(tokens=tokens, member=request.viewer.member)
    done = f"{count} token{' is' if count == 1 else 's are'} blocked now: the next call with one is refused."
    messages.success(request, done if count else "They were blocked already.")
    return _back(parse_token_prefixes(request.POST.getlist("shown")) or parts)


def rotate(request: ConsoleRequest) -> HttpResponse:
    """Start the rotation of the tokens as leaked, or turn the ones under way into that."""
    parts, tokens = _chosen(request)
    viewer = request.viewer
    rotations = [
        start_rotation(
            env=token.env,
            prefix=token.prefix,
            workspace=viewer.member.workspace,
            kind=RotationKind.LEAKED,
            actor=viewer.member.display_identity,
            reason="Reported at the leak desk",
        )
        for token in tokens
    ]
    if len(rotations) == 1:
        return HttpResponseRedirect(rotations[0].get_absolute_url())
    messages.success(request, f"{len(rotations)} rotation{'' if len(rotations) == 1 else 's'} under way.")
    return _back(parts)


def close(request: ConsoleRequest, key: int) -> HttpResponse:
    """Say that a report is dealt with."""
    viewer = request.viewer
    report = get_object_or_404(LeakReport, pk=key, workspace_id=viewer.member.workspace_id)
    close_report(report=report, actor=viewer.member.display_identity, note=request.POST.get("note", ""))
    messages.success(request, "The report is closed.")
    return _back([])


def _report(request: ConsoleRequest) -> HttpResponse:
    viewer = request.viewer
    parts = parse_token_prefixes(request.POST.getlist("prefix"))
    if not parts:
        fault = "There is no public part of a token in what was sent: it reads hsk_live_ and 12 characters."
        return _page(request, [], fault=fault, status=400)
    report_leaked_tokens(
        workspace=viewer.member.workspace,
        parts=parts,
        actor=viewer.member.display_identity,
        place=request.POST.get("place", ""),
    )
    return _back(parts)


def _chosen(request: ConsoleRequest) -> tuple[list[PublicPart], list[ObservedToken]]:
    """The tokens named in the form that the person sees, which are those that they may act on."""
    parts = parse_token_prefixes(request.POST.getlist("prefix"))
    tokens = [each.token for each in reported_tokens(request.viewer, parts) if each.token is not None]
    if not tokens:
        raise Http404("There is no such token.")
    return parts, tokens


def _back(parts: Sequence[PublicPart]) -> HttpResponseRedirect:
    query = urlencode([("t", part.key) for part in parts])
    return HttpResponseRedirect(reverse("console:leaked_tokens:list") + (f"?{query}" if query else ""))


def _page(request: ConsoleRequest, parts: Sequence[PublicPart], *, fault: str = "", status: int = 200) -> HttpResponse:
    viewer = request.viewer
    found = reported_tokens(viewer, parts)
    known = [each for each in found if each.token is not None]
    reports = list(open_reports(viewer).select_related("workspace")[:AT_MOST])
    return render_page(
        request,
        "leaked_tokens/page.html",
        title="Leak desk",
        status=status,
        fault=fault,
        found=found,
        known=known,
        uncontained=[each for each in known if not each.is_contained],
        unrotated=[each for each in known if not (each.is_rotating or each.is_revoked)],
        reports=reports,
    )
