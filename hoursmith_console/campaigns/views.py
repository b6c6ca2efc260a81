"""Campaign pages: list, new, progress."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from hoursmith_console.campaigns.criteria import Criteria, tokens_matching
from hoursmith_console.campaigns.forms import DEFAULT_PERIOD, CampaignForm, CriteriaForm, DueDateForm
from hoursmith_console.campaigns.models import Campaign
from hoursmith_console.campaigns.progress import campaign_progress, campaign_rows, preview_rows
from hoursmith_console.campaigns.services import (
    MAX_TOKENS,
    CampaignError,
    close_campaign,
    extend_campaign,
    remind_owners,
    start_campaign,
)
from hoursmith_console.core.keys import key_from
from hoursmith_console.core.views import render_page
from hoursmith_console.rotations.notices.mails import is_mail_configured
from hoursmith_console.workspaces.viewer import ConsoleRequest

MOST_LISTED = 100


def campaigns(request: ConsoleRequest) -> HttpResponse:
    """List the campaigns of the workspace."""
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
    """Preview the matching tokens; POST starts a campaign for the selected ones."""
    workspace = request.viewer.member.workspace
    form = CriteriaForm(request.GET or None, workspace=workspace)
    criteria = form.criteria() if request.GET and form.is_valid() else None
    if request.method != "POST" or criteria is None:
        initial = {"due_on": timezone.now().date() + DEFAULT_PERIOD, "title": _title(criteria, request)}
        return _new_page(request, form, criteria, CampaignForm(initial=initial))
    campaign_form = CampaignForm(request.POST)
    if not campaign_form.is_valid():
        return _new_page(request, form, criteria, campaign_form, status=400)
    selected = [key for text in request.POST.getlist("token") if (key := key_from(text))][:MAX_TOKENS]
    matching = tokens_matching(workspace, criteria, now=timezone.now())
    try:
        campaign = start_campaign(
            workspace=workspace,
            criteria=criteria,
            tokens=matching.filter(pk__in=selected),
            actor=request.viewer.member.display_identity,
            **campaign_form.cleaned_data,
        )
    except CampaignError as error:
        campaign_form.add_error(None, str(error))
        return _new_page(request, form, criteria, campaign_form, status=400)
    messages.success(request, "Campaign started. Owners have been notified.")
    return HttpResponseRedirect(reverse("console:campaigns:detail", args=[campaign.pk]))


def detail(request: ConsoleRequest, key: int) -> HttpResponse:
    """Show the progress of a campaign, or the summary of a closed one."""
    viewer = request.viewer
    campaign = _campaign(request, key)
    return render_page(
        request,
        "campaigns/detail.html",
        title=campaign.title,
        area_title="Campaigns",
        area_address="console:campaigns:list",
        campaign=campaign,
        criteria=Criteria.from_json(campaign.criteria).describe(campaign.workspace),
        progress=campaign_progress(viewer, campaign),
        can_mail=is_mail_configured(),
        due_form=DueDateForm(initial={"due_on": campaign.due_on}),
    )


def remind(request: ConsoleRequest, key: int) -> HttpResponse:
    """Send reminders to owners who have not rotated yet."""
    campaign = _campaign(request, key)
    try:
        count = remind_owners(campaign=campaign, actor=request.viewer.member.display_identity, now=timezone.now())
    except CampaignError as error:
        messages.error(request, str(error))
    else:
        sent = f"{count} reminder{'' if count == 1 else 's'} sent."
        none = "No reminders sent: everyone was already reminded today or has no email address."
        messages.success(request, sent if count else none)
    return HttpResponseRedirect(reverse("console:campaigns:detail", args=[campaign.pk]))


def close(request: ConsoleRequest, key: int) -> HttpResponse:
    """Close the campaign and save its summary."""
    campaign = _campaign(request, key)
    try:
        close_campaign(campaign=campaign, actor=request.viewer.member.display_identity)
    except CampaignError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Campaign closed. Rotations in progress continue.")
    return HttpResponseRedirect(reverse("console:campaigns:detail", args=[campaign.pk]))


def extend(request: ConsoleRequest, key: int) -> HttpResponse:
    """Change the due date."""
    campaign, form = _campaign(request, key), DueDateForm(request.POST)
    try:
        if form.is_valid():
            actor = request.viewer.member.display_identity
            extend_campaign(campaign=campaign, due_on=form.cleaned_data["due_on"], actor=actor)
            messages.success(request, f"Due date set to {form.cleaned_data['due_on']:%-d %B %Y}.")
        else:
            messages.error(request, "Choose a date in the future.")
    except CampaignError as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(reverse("console:campaigns:detail", args=[campaign.pk]))


def _campaign(request: ConsoleRequest, key: int) -> Campaign:
    found: Campaign = get_object_or_404(
        Campaign.objects.select_related("workspace"), pk=key, workspace_id=request.viewer.member.workspace_id
    )
    return found


def _title(criteria: Criteria | None, request: ConsoleRequest) -> str:
    if criteria is None:
        return ""
    criteria_text = ", ".join(criteria.describe(request.viewer.member.workspace))
    return f"Rotate: {criteria_text}"[:120]


def _new_page(
    request: ConsoleRequest,
    form: CriteriaForm,
    criteria: Criteria | None,
    campaign_form: CampaignForm,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "campaign_form": campaign_form,
        "criteria": criteria,
        "can_mail": is_mail_configured(),
    }
    if criteria is not None:
        now = timezone.now()
        matching = tokens_matching(request.viewer.member.workspace, criteria, now=now)
        rows = preview_rows(request.viewer, matching[: MAX_TOKENS + 1], now=now)
        context["rows"] = rows[:MAX_TOKENS]
        context["is_cut"] = len(rows) > MAX_TOKENS
        context["unowned"] = [row for row in rows if row.card.owner is None and row.campaign is None]
        context["blocked"] = sum(row.card.block is not None for row in rows)
        context["selectable"] = [row for row in rows if row.campaign is None]
        context["selected"] = set(request.POST.getlist("token")) if request.method == "POST" else None
    return render_page(
        request,
        "campaigns/new.html",
        title="New campaign",
        area_title="Campaigns",
        area_address="console:campaigns:list",
        status=status,
        **context,
    )
