"""Campaigns: choose tokens, see who is asked, ask, and follow how far everybody is."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from hoursmith_console.campaigns.board import campaign_progress, campaign_rows, preview_rows
from hoursmith_console.campaigns.criteria import Criteria, tokens_matching
from hoursmith_console.campaigns.forms import USUAL_TIME, AskForm, CriteriaForm
from hoursmith_console.campaigns.models import Campaign
from hoursmith_console.campaigns.services import AT_MOST, CampaignError, close_campaign, remind_owners, start_campaign
from hoursmith_console.core.keys import key_from
from hoursmith_console.core.views import render_page
from hoursmith_console.rotations.notices.mails import is_mail_configured
from hoursmith_console.workspaces.viewer import ConsoleRequest

MOST_LISTED = 100


def campaigns(request: ConsoleRequest) -> HttpResponse:
    """All campaigns of the workspace, open ones first."""
    found = Campaign.objects.filter(workspace_id=request.viewer.member.workspace_id)
    rows = campaign_rows(found.order_by("-created_at", "-pk")[:MOST_LISTED])
    return render_page(
        request,
        "campaigns/list.html",
        title="Campaigns",
        open_rows=[row for row in rows if row.campaign.closed_at is None],
        closed_rows=[row for row in rows if row.campaign.closed_at is not None],
    )


def new(request: ConsoleRequest) -> HttpResponse:
    """GET shows which tokens fit and whose they are; POST asks for those that were left ticked."""
    workspace = request.viewer.member.workspace
    form = CriteriaForm(request.GET or None, workspace=workspace)
    criteria = form.criteria() if request.GET and form.is_valid() else None
    if request.method != "POST" or criteria is None:
        initial = {"due_on": timezone.now().date() + USUAL_TIME, "title": _title(criteria, request)}
        return _new_page(request, form, criteria, AskForm(initial=initial))
    ask = AskForm(request.POST)
    if not ask.is_valid():
        return _new_page(request, form, criteria, ask, status=400)
    ticked = [key for text in request.POST.getlist("token") if (key := key_from(text))][:AT_MOST]
    fitting = tokens_matching(workspace, criteria, now=timezone.now())
    try:
        campaign = start_campaign(
            workspace=workspace,
            criteria=criteria,
            tokens=fitting.filter(pk__in=ticked),
            actor=request.viewer.member.display_identity,
            **ask.cleaned_data,
        )
    except CampaignError as error:
        ask.add_error(None, str(error))
        return _new_page(request, form, criteria, ask, status=400)
    messages.success(request, "Everybody whose tokens these are is asked now.")
    return HttpResponseRedirect(reverse("console:campaigns:detail", args=[campaign.pk]))


def detail(request: ConsoleRequest, key: int) -> HttpResponse:
    """How far everybody is; of a closed one how it stood."""
    viewer = request.viewer
    campaign = _campaign(request, key)
    return render_page(
        request,
        "campaigns/detail.html",
        title=campaign.title,
        area_title="Campaigns",
        area_address="console:campaigns:list",
        campaign=campaign,
        words=Criteria.of_json(campaign.criteria).words(campaign.workspace),
        board=campaign_progress(viewer, campaign),
        can_mail=is_mail_configured(),
    )


def remind(request: ConsoleRequest, key: int) -> HttpResponse:
    """Let those be reminded who have not rotated yet."""
    campaign = _campaign(request, key)
    try:
        count = remind_owners(campaign=campaign, actor=request.viewer.member.display_identity, now=timezone.now())
    except CampaignError as error:
        messages.error(request, str(error))
    else:
        told = f"{count} {'person is' if count == 1 else 'people are'} written to now."
        nobody = "Nobody is written to: everybody was today, or has no address, or is not known."
        messages.success(request, told if count else nobody)
    return HttpResponseRedirect(reverse("console:campaigns:detail", args=[campaign.pk]))


def close(request: ConsoleRequest, key: int) -> HttpResponse:
    """Ask no more, and keep how it stood."""
    campaign = _campaign(request, key)
    try:
        close_campaign(campaign=campaign, actor=request.viewer.member.display_identity)
    except CampaignError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The campaign is closed. What is under way goes on.")
    return HttpResponseRedirect(reverse("console:campaigns:detail", args=[campaign.pk]))


def _campaign(request: ConsoleRequest, key: int) -> Campaign:
    found: Campaign = get_object_or_404(
        Campaign.objects.select_related("workspace"), pk=key, workspace_id=request.viewer.member.workspace_id
    )
    return found


def _title(criteria: Criteria | None, request: ConsoleRequest) -> str:
    if criteria is None:
        return ""
    words = ", ".join(criteria.words(request.viewer.member.workspace))
    return f"Rotate: {words}"[:120]


def _new_page(
    request: ConsoleRequest, form: CriteriaForm, criteria: Criteria | None, ask: AskForm, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "ask": ask, "criteria": criteria, "can_mail": is_mail_configured()}
    if criteria is not None:
        now = timezone.now()
        fitting = tokens_matching(request.viewer.member.workspace, criteria, now=now)
        rows = preview_rows(request.viewer, fitting[: AT_MOST + 1], now=now)
        context["rows"] = rows[:AT_MOST]
        context["is_cut"] = len(rows) > AT_MOST
        context["unowned"] = [row for row in rows if row.card.owner is None and row.campaign is None]
        context["askable"] = [row for row in rows if row.campaign is None]
        context["ticked"] = set(request.POST.getlist("token")) if request.method == "POST" else None
    return render_page(
        request,
        "campaigns/new.html",
        title="Ask for rotation",
        area_title="Campaigns",
        area_address="console:campaigns:list",
        status=status,
        **context,
    )
