"""Start, remind and close campaigns."""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from hoursmith_console.campaigns.criteria import Criteria
from hoursmith_console.campaigns.models import Campaign, CampaignKind
from hoursmith_console.rotations.models import MailKind, Rotation, RotationKind, RotationOutcome
from hoursmith_console.rotations.notices.mails import queue_mail
from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member, Workspace
from mcpbridge.audit.console_events import record_event
from mcpbridge.models import ObservedToken, TokenIdentity, TokenRef

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
    kind: CampaignKind = CampaignKind.ROTATION,
) -> Campaign:
    """Request the rotation or revocation of `tokens`, all of the workspace; open rotations join the campaign.

    Raises CampaignError if there are no tokens, or AuditUnavailableError; then nothing was started.
    """
    selected = list(tokens)
    with transaction.atomic():
        campaign = open_campaign(
            workspace=workspace,
            title=title,
            criteria=criteria,
            due_on=due_on,
            tokens=selected,
            actor=actor,
            reason=reason,
            kind=kind,
        )
        for token in selected:
            request_token(campaign=campaign, token=token, actor=actor)
        queue_requests(campaign)
    return campaign


def open_campaign(
    *,
    workspace: Workspace,
    title: str,
    criteria: Criteria,
    due_on: date,
    tokens: Collection[TokenIdentity],
    actor: str,
    reason: str = "",
    kind: CampaignKind = CampaignKind.ROTATION,
) -> Campaign:
    """Create a campaign about `tokens` and record it; nothing is requested yet (`request_token`).

    Raises CampaignError if there are no tokens, or AuditUnavailableError; then there is no campaign.
    """
    if not tokens:
        raise CampaignError("Select at least one token.")
    refs = [TokenRef(token.env, token.prefix) for token in tokens]
    with transaction.atomic():
        campaign = Campaign.objects.create(
            workspace=workspace,
            kind=kind,
            title=title,
            reason=reason,
            criteria=criteria.to_json(),
            due_on=due_on,
            requested_by=actor,
        )
        _record(
            campaign,
            "start",
            actor=actor,
            note=reason,
            details={
                "kind": str(kind.label).lower(),
                "tokens": [f"{ref.env}_{ref.prefix}" for ref in refs[:_MAX_LISTED]],
                "count": len(refs),
                **_request_counts(workspace, refs),
                "criteria": criteria.describe(workspace),
                "due_on": due_on.isoformat(),
            },
        )
    return campaign


def _request_counts(workspace: Workspace, refs: Collection[TokenRef]) -> dict[str, int]:
    """Count those of `refs` that another open campaign has, and those of the others without a known owner."""
    prefixes = [ref.prefix for ref in refs]
    elsewhere = Rotation.objects.filter(workspace=workspace, ended_at=None, campaign__closed_at=None)
    taken = _refs(elsewhere.exclude(campaign=None).filter(prefix__in=prefixes))
    assigned = Rotation.objects.filter(workspace=workspace, ended_at=None, prefix__in=prefixes).exclude(owner=None)
    owned = _refs(TokenClaim.objects.filter(member__workspace=workspace, prefix__in=prefixes)) | _refs(assigned)
    unowned = [ref for ref in refs if ref not in taken and ref not in owned]
    return {"joined_another_campaign": len(taken & set(refs)), "without_owner": len(unowned)}


def _refs(rows: QuerySet[Any]) -> set[TokenRef]:
    return {TokenRef(env, prefix) for env, prefix in rows.order_by().values_list("env", "prefix")}


def request_token(*, campaign: Campaign, token: TokenIdentity, actor: str) -> Rotation:
    """Request the rotation or revocation of `token`, and return its rotation, which another campaign may have.

    Raises UnknownTokenError if the workspace has no such token, or AuditUnavailableError; then nothing was requested.
    """
    with transaction.atomic():
        rotation = start_rotation(
            env=token.env,
            prefix=token.prefix,
            workspace=campaign.workspace,
            kind=RotationKind(campaign.kind),
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


def queue_requests(campaign: Campaign) -> None:
    """Queue one email to each owner of a requested token."""
    requested = Rotation.objects.filter(campaign=campaign, ended_at=None).exclude(owner=None)
    for owner in Member.objects.filter(pk__in=requested.order_by().values("owner")).order_by("pk"):
        queue_mail(kind=MailKind.REQUEST, member=owner, campaign=campaign)


def remind_owners(*, campaign: Campaign, actor: str, now: datetime) -> int:
    """Queue reminders to owners with open requests, at most one a day each, and return how many.

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


def extend_campaign(*, campaign: Campaign, due_on: date, actor: str) -> Campaign:
    """Set another due date, also for the campaign's open rotations that have its date.

    Raises CampaignError if it is closed, or AuditUnavailableError; then nothing changed.
    """
    with transaction.atomic():
        locked = _lock(campaign)
        before, locked.due_on = locked.due_on, due_on
        if before != due_on:
            locked.save(update_fields=["due_on"])
            Rotation.objects.filter(campaign=locked, ended_at=None, due_on=before).update(due_on=due_on)
            _record(locked, "extend", actor=actor, details={"due_on": f"{before.isoformat()} → {due_on.isoformat()}"})
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
