"""Asks for the rotation of many tokens at once, and closes the asking with how it stood."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from hoursmith_console.campaigns.criteria import Criteria
from hoursmith_console.campaigns.models import Campaign
from hoursmith_console.rotations.models import MailKind, Rotation, RotationKind, RotationOutcome
from hoursmith_console.rotations.notices.mails import queue_mail
from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.workspaces.models import Member, Workspace
from mcpbridge.audit.console_events import record_event
from mcpbridge.models import ObservedToken

AT_MOST = 500
# The record keeps as many of one list.
_NAMED_AT_MOST = 50
# Days before the last day on which people are reminded; after it every third day.
REMINDED_BEFORE = (7, 3, 1, 0)
_REMINDED_LATE_EVERY = 3


class CampaignError(Exception):
    """What was asked cannot be done; the text says why, in words for the person."""


def start_campaign(
    *,
    workspace: Workspace,
    title: str,
    criteria: Criteria,
    due_on: date,
    tokens: Iterable[ObservedToken],
    actor: str,
    reason: str = "",
) -> Campaign:
    """Ask for the rotation of `tokens`, which all belong to the workspace, by `due_on`; whoever rotates one joins.

    Raises CampaignError where there is nothing to ask for, AuditUnavailableError; then nothing was started.
    """
    chosen = list(tokens)
    if not chosen:
        raise CampaignError("No token was chosen, so there is nothing to ask for.")
    with transaction.atomic():
        campaign = Campaign.objects.create(
            workspace=workspace,
            title=title,
            reason=reason,
            criteria=criteria.as_json(),
            due_on=due_on,
            requested_by=actor,
        )
        rotations = [_ask(campaign, token, actor) for token in chosen]
        asked = [rotation for rotation in rotations if rotation.campaign_id == campaign.pk]
        for owner in {rotation.owner for rotation in asked if rotation.owner is not None}:
            queue_mail(kind=MailKind.ASKED, member=owner, campaign=campaign)
        _record(
            campaign,
            "start",
            actor=actor,
            note=reason,
            details={
                "tokens": [f"{token.env}_{token.prefix}" for token in chosen[:_NAMED_AT_MOST]],
                "count": len(chosen),
                "joined_another_campaign": len(rotations) - len(asked),
                "without_owner": sum(rotation.owner is None for rotation in asked),
                "criteria": criteria.words(workspace),
                "due_on": due_on.isoformat(),
            },
        )
    return campaign


def _ask(campaign: Campaign, token: ObservedToken, actor: str) -> Rotation:
    rotation = start_rotation(
        env=token.env,
        prefix=token.prefix,
        workspace=campaign.workspace,
        kind=RotationKind.PLANNED,
        actor=actor,
        reason=campaign.reason or campaign.title,
        campaign=campaign,
        due_on=campaign.due_on,
    )
    if rotation.campaign is not None and rotation.campaign.closed_at is not None:
        # The one that asked before is over and keeps its summary.
        rotation.campaign = campaign
        rotation.save(update_fields=["campaign"])
    return rotation


def remind_owners(*, campaign: Campaign, actor: str, now: datetime) -> int:
    """Let everybody be written to who has not rotated yet, each at most once a day; how many will be.

    Raises CampaignError where the campaign is closed, AuditUnavailableError; then nobody is written to.
    """
    with transaction.atomic():
        held = _held(campaign)
        queued = _remind(held, now)
        if queued:
            _record(held, "remind", actor=actor, details={"people": queued})
    return queued


def queue_reminders(*, now: datetime) -> int:
    """Let those be written to for whom today is a day of reminding; how many will be. Bears being done twice."""
    return sum(
        _remind(campaign, now)
        for campaign in Campaign.objects.filter(closed_at=None).select_related("workspace")
        if is_reminder_day(campaign.due_on, now.date())
    )


def is_reminder_day(due_on: date, today: date) -> bool:
    """Whether people are reminded today: a week, three days, a day before and on the last day, then every third."""
    left = (due_on - today) // timedelta(days=1)
    return left in REMINDED_BEFORE or (left < 0 and -left % _REMINDED_LATE_EVERY == 0)


def _remind(campaign: Campaign, now: datetime) -> int:
    waiting = Rotation.objects.filter(campaign=campaign, ended_at=None).exclude(owner=None)
    owners = Member.objects.filter(pk__in=waiting.order_by().values("owner"), is_active=True)
    return sum(queue_mail(kind=MailKind.REMINDER, member=owner, campaign=campaign, now=now) for owner in owners)


def close_campaign(*, campaign: Campaign, actor: str) -> Campaign:
    """Ask no more, and keep how it stood; what is under way goes on.

    Raises CampaignError where it is closed, AuditUnavailableError; then it stays open.
    """
    with transaction.atomic():
        held = _held(campaign)
        held.summary = summary_of(held)
        held.closed_at, held.closed_by = timezone.now(), actor
        held.save(update_fields=["summary", "closed_at", "closed_by"])
        counts = {name: held.summary[name] for name in ("done", "open", "given_up")}
        _record(held, "close", actor=actor, details=counts)
    return held


def _held(campaign: Campaign) -> Campaign:
    """`campaign` as it is now, which nobody else changes until this transaction ends; CampaignError if closed."""
    held: Campaign = Campaign.objects.select_for_update(of=("self",)).select_related("workspace").get(pk=campaign.pk)
    if held.closed_at is not None:
        raise CampaignError("This campaign is closed.")
    return held


def summary_of(campaign: Campaign) -> dict[str, Any]:
    """How the campaign stands: counts, and each token with whose it is and how far."""
    rotations = Rotation.objects.filter(campaign=campaign).order_by("owner_name", "pk")
    rows = [
        {
            "token": rotation.masked_token,
            "name": rotation.token_name,
            "owner": rotation.owner_name,
            "state": rotation_state(rotation),
        }
        for rotation in rotations
    ]
    counts = Counter(row["state"] for row in rows)
    return {"done": counts["done"], "open": counts["open"], "given_up": counts["given_up"], "tokens": rows}


def rotation_state(rotation: Rotation) -> str:
    """How far a rotation is, in one of three words: done, open, given_up."""
    if rotation.ended_at is None:
        return "open"
    return "done" if rotation.outcome == RotationOutcome.DONE else "given_up"


def _record(campaign: Campaign, action: str, *, actor: str, details: dict[str, Any], note: str = "") -> None:
    record_event(
        org_id=campaign.workspace.org_id,
        org_name=campaign.workspace.name,
        action=f"console.campaign_{action}",
        actor=actor,
        target_type="campaign",
        target_id=str(campaign.pk),
        target_label=campaign.title,
        details=details,
        note=note,
    )
