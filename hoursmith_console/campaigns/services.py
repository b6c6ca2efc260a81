"""Start, remind and close campaigns."""

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

MAX_TOKENS = 500
# An audit entry stores at most this many items of a list.
_MAX_LISTED = 50
# Days before the due date with reminders; afterwards every third day.
REMINDED_BEFORE = (7, 3, 1, 0)
_REMINDED_LATE_EVERY = 3


class CampaignError(Exception):
    """The request cannot be carried out. The text explains why to the user."""


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
    """Request the rotation of `tokens`, all of the workspace, by `due_on`; open rotations join the campaign.

    Raises CampaignError if there are no tokens, or AuditUnavailableError; then nothing was started.
    """
    selected = list(tokens)
    if not selected:
        raise CampaignError("Select at least one token.")
    with transaction.atomic():
        campaign = Campaign.objects.create(
            workspace=workspace,
            title=title,
            reason=reason,
            criteria=criteria.to_json(),
            due_on=due_on,
            requested_by=actor,
        )
        rotations = [_request(campaign, token, actor) for token in selected]
        requested = [rotation for rotation in rotations if rotation.campaign_id == campaign.pk]
        for owner in {rotation.owner for rotation in requested if rotation.owner is not None}:
            queue_mail(kind=MailKind.REQUEST, member=owner, campaign=campaign)
        _record(
            campaign,
            "start",
            actor=actor,
            note=reason,
            details={
                "tokens": [f"{token.env}_{token.prefix}" for token in selected[:_MAX_LISTED]],
                "count": len(selected),
                "joined_another_campaign": len(rotations) - len(requested),
                "without_owner": sum(rotation.owner is None for rotation in requested),
                "criteria": criteria.describe(workspace),
                "due_on": due_on.isoformat(),
            },
        )
    return campaign


def _request(campaign: Campaign, token: ObservedToken, actor: str) -> Rotation:
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
        # Its earlier campaign is closed and keeps its summary.
        rotation.campaign = campaign
        rotation.save(update_fields=["campaign"])
    return rotation


def remind_owners(*, campaign: Campaign, actor: str, now: datetime) -> int:
    """Queue reminders to owners who have not rotated yet, at most one a day each, and return how many.

    Raises CampaignError if the campaign is closed, or AuditUnavailableError; then none was queued.
    """
    with transaction.atomic():
        locked = _lock(campaign)
        queued = _remind(locked, now)
        if queued:
            _record(locked, "remind", actor=actor, details={"people": queued})
    return queued


def queue_reminders(*, now: datetime) -> int:
    """Queue the reminders of all open campaigns that are due today, and return how many. Safe to repeat."""
    return sum(
        _remind(campaign, now)
        for campaign in Campaign.objects.filter(closed_at=None).select_related("workspace")
        if is_reminder_day(campaign.due_on, now.date())
    )


def is_reminder_day(due_on: date, today: date) -> bool:
    """Return whether reminders go out today: 7, 3, 1 and 0 days before the due date, then every third day."""
    left = (due_on - today) // timedelta(days=1)
    return left in REMINDED_BEFORE or (left < 0 and -left % _REMINDED_LATE_EVERY == 0)


def _remind(campaign: Campaign, now: datetime) -> int:
    open_rotations = Rotation.objects.needing_action().filter(campaign=campaign).exclude(owner=None)
    owners = Member.objects.filter(pk__in=open_rotations.order_by().values("owner"), is_active=True)
    return sum(queue_mail(kind=MailKind.REMINDER, member=owner, campaign=campaign, now=now) for owner in owners)


def close_campaign(*, campaign: Campaign, actor: str) -> Campaign:
    """Close the campaign and save its summary; rotations in progress continue.

    Raises CampaignError if it is closed already, or AuditUnavailableError; then it stays open.
    """
    with transaction.atomic():
        locked = _lock(campaign)
        locked.summary = campaign_summary(locked)
        locked.closed_at, locked.closed_by = timezone.now(), actor
        locked.save(update_fields=["summary", "closed_at", "closed_by"])
        counts = {name: locked.summary[name] for name in ("done", "open", "cancelled")}
        _record(locked, "close", actor=actor, details=counts)
    return locked


def _lock(campaign: Campaign) -> Campaign:
    """Lock and return the current row of `campaign`. Raises CampaignError if it is closed."""
    locked: Campaign = Campaign.objects.select_for_update(of=("self",)).select_related("workspace").get(pk=campaign.pk)
    if locked.closed_at is not None:
        raise CampaignError("This campaign is closed.")
    return locked


def campaign_summary(campaign: Campaign) -> dict[str, Any]:
    """Return the counts, and each token with its owner and status."""
    rotations = Rotation.objects.with_contradiction().filter(campaign=campaign).order_by("owner_name", "pk")
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
    return {"done": counts["done"], "open": counts["open"], "cancelled": counts["cancelled"], "tokens": rows}


def rotation_state(rotation: Rotation) -> str:
    """Return the status of a rotation in a campaign: done, open or cancelled. Requires `with_contradiction()`.

    It is done as soon as its owner has nothing left to do.
    """
    if rotation.ended_at is None:
        return "open" if rotation.needs_action else "done"
    return "done" if rotation.outcome == RotationOutcome.DONE else "cancelled"


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
