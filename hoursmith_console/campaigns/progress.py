"""Rows and counts for the campaign pages."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from hoursmith_console.campaigns.models import Campaign
from hoursmith_console.campaigns.services import rotation_state
from hoursmith_console.rotations.models import Rotation, RotationMail
from hoursmith_console.rotations.rows import RotationRow, rotation_rows
from hoursmith_console.token_policy.evaluation import age_in_days
from hoursmith_console.token_policy.least_privilege import PrivilegeHint
from hoursmith_console.token_policy.privilege_hints import privilege_hints
from hoursmith_console.tokens.labels import TokenLabel, ref_of, token_labels
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ObservedToken


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """A matching token. `campaign` is another open campaign that already includes it."""

    token: ObservedToken
    card: TokenLabel
    days: int
    hint: PrivilegeHint | None
    campaign: Campaign | None


def preview_rows(viewer: Viewer, tokens: Iterable[ObservedToken], *, now: datetime) -> list[PreviewRow]:
    """Return a row for each of `tokens`, in a constant number of queries."""
    found = list(tokens)
    cards, hints = token_labels(viewer, found), privilege_hints(found, now=now)
    asked = Rotation.objects.filter(
        workspace_id=viewer.member.workspace_id, ended_at=None, campaign__closed_at=None
    ).exclude(campaign=None)
    campaigns = {ref_of(rotation): rotation.campaign for rotation in asked.select_related("campaign")}
    return [
        PreviewRow(
            token=token,
            card=cards[ref_of(token)],
            days=age_in_days(token, now=now),
            hint=hints.get(token.pk),
            campaign=campaigns.get(ref_of(token)),
        )
        for token in found
    ]


@dataclass(frozen=True, slots=True)
class Counts:
    """Rotations of a campaign by status."""

    done: int = 0
    open: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        return self.done + self.open + self.cancelled

    @property
    def bars(self) -> list[tuple[str, float, float]]:
        """Status, start and width of each part of the progress bar, in per cent."""
        parts, start = [], 0.0
        for kind, count in (("done", self.done), ("cancelled", self.cancelled)):
            if count:
                width = round(100 * count / self.total, 1)
                parts.append((kind, round(start, 1), width))
                start += width
        return parts

    @property
    def sentence(self) -> str:
        """The counts as text."""
        cancelled = f", {self.cancelled} cancelled" if self.cancelled else ""
        return f"{self.done} of {self.total} done, {self.open} open{cancelled}"


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """One campaign in the list."""

    campaign: Campaign
    counts: Counts
    is_overdue: bool


def campaign_rows(campaigns: Iterable[Campaign]) -> list[CampaignRow]:
    """Return a row for each of `campaigns`, in one more query."""
    found = list(campaigns)
    states: defaultdict[int | None, Counter[str]] = defaultdict(Counter)
    for rotation in Rotation.objects.with_contradiction().filter(campaign__in=found).order_by():
        states[rotation.campaign_id][rotation_state(rotation)] += 1
    today = timezone.now().date()
    return [
        CampaignRow(
            campaign=campaign,
            counts=_counts(campaign, states[campaign.pk]),
            is_overdue=campaign.closed_at is None and campaign.due_on < today and states[campaign.pk]["open"] > 0,
        )
        for campaign in found
    ]


@dataclass(frozen=True, slots=True)
class CampaignProgress:
    """Progress of one campaign. A closed campaign has no rows; it keeps its summary."""

    counts: Counts
    rows: Sequence[RotationRow]
    unowned: Sequence[RotationRow]
    ended: Sequence[RotationRow]
    mails_sent: int
    mails_waiting: int
    mails_failed: Sequence[RotationMail]


def campaign_progress(viewer: Viewer, campaign: Campaign) -> CampaignProgress:
    """Return the progress of `campaign`, in a constant number of queries."""
    found = Rotation.objects.with_contradiction().filter(campaign=campaign)
    rotations = list(found.select_related("workspace", "owner"))
    shown = rotation_rows(viewer, rotations) if campaign.closed_at is None else []
    in_progress = sorted((row for row in shown if row.needs_action), key=lambda row: row.urgency)
    mails = list(RotationMail.objects.filter(campaign=campaign).select_related("member"))
    unsent = [mail for mail in mails if mail.sent_at is None]
    return CampaignProgress(
        counts=_counts(campaign, Counter(rotation_state(rotation) for rotation in rotations)),
        rows=[row for row in in_progress if row.rotation.owner is not None],
        unowned=[row for row in in_progress if row.rotation.owner is None],
        ended=[row for row in shown if not row.needs_action],
        mails_sent=len(mails) - len(unsent),
        mails_waiting=sum(mail.next_attempt_at is not None and not mail.last_error for mail in unsent),
        mails_failed=[mail for mail in unsent if mail.last_error],
    )


def _counts(campaign: Campaign, states: Counter[str]) -> Counts:
    states = campaign.summary if campaign.closed_at is not None and campaign.summary else states
    return Counts(done=states["done"], open=states["open"], cancelled=states["cancelled"])
