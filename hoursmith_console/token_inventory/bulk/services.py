"""Start bulk jobs and work them off: one transaction for each token, with its change, audit entry and outcome.

A job can stop after any token and continue in another process; a token is never done twice.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import IntegrityError, transaction
from django.utils import timezone

from hoursmith_console.campaigns.criteria import Criteria
from hoursmith_console.campaigns.models import CampaignKind
from hoursmith_console.campaigns.services import open_campaign, queue_requests, request_token
from hoursmith_console.rotations.permissions import liftable_by
from hoursmith_console.rotations.services import UnknownTokenError
from hoursmith_console.token_inventory.bulk.obstacles import Obstacle, obstacle
from hoursmith_console.token_inventory.models import BulkAction, BulkItem, BulkJob, BulkOutcome
from hoursmith_console.token_inventory.status import token_statuses
from hoursmith_console.tokens.labels import ref_of, token_owners
from hoursmith_console.tokens.querysets import visible_tokens
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.auth.restrictions.blocks import block_token
from mcpbridge.models import ObservedToken

MAX_TOKENS = 5_000
# How long one step works; what is left is for the next one.
STEP_S = 1.0
_AT_ONCE = 50
_KINDS = {BulkAction.ROTATION: CampaignKind.ROTATION, BulkAction.REVOCATION: CampaignKind.REVOCATION}


@dataclass(frozen=True, slots=True)
class BulkOrder:
    """What a member confirmed on the preview. `title` and `due_on` are for requests only."""

    action: BulkAction
    form: str
    reason: str = ""
    title: str = ""
    due_on: date | None = None


def start_bulk_job(
    *, member: Member, order: BulkOrder, tokens: Sequence[ObservedToken], possible: Sequence[ObservedToken]
) -> BulkJob:
    """Store a job for `tokens` and return it; the same form again returns the job that it started.

    The action cannot be done to those of `tokens` that are not `possible`; the job says why. Raises CampaignError if
    a request has none, or AuditUnavailableError; then there is no job.
    """
    try:
        with transaction.atomic():
            job = BulkJob.objects.create(
                workspace=member.workspace,
                member=member,
                actor=member.display_identity,
                form=order.form,
                action=order.action,
                reason=order.reason,
                total=len(tokens),
            )
            BulkItem.objects.bulk_create(
                [BulkItem(job=job, env=each.env, prefix=each.prefix, token_name=each.token_name) for each in tokens],
                batch_size=500,
            )
            if order.action in _KINDS and order.due_on is not None:
                job.campaign = open_campaign(
                    workspace=member.workspace,
                    title=order.title,
                    criteria=Criteria(selected=len(possible)),
                    due_on=order.due_on,
                    tokens=possible,
                    actor=member.display_identity,
                    reason=order.reason,
                    kind=_KINDS[order.action],
                )
                job.save(update_fields=["campaign"])
    except IntegrityError:
        started = BulkJob.objects.filter(member=member, form=order.form).first()
        if started is None:
            raise
        return started
    return job


def work_off(job: BulkJob, *, budget_s: float = STEP_S) -> bool:
    """Do tokens of `job` for about `budget_s`, and return whether the job has ended.

    Raises AuditUnavailableError at a token whose audit entry cannot be written; it stays to be done.
    """
    until = time.monotonic() + budget_s
    while True:
        waiting = list(job.items.filter(outcome=BulkOutcome.WAITING)[:_AT_ONCE])
        if not waiting:
            _end(job)
            return True
        for item in waiting:
            _work(job, item)
            if time.monotonic() >= until:
                return False


def work_off_jobs() -> int:
    """Do one step of each open job, and return how many there were."""
    jobs = list(BulkJob.objects.filter(ended_at=None).select_related("workspace", "campaign__workspace")[:10])
    for job in jobs:
        work_off(job, budget_s=STEP_S / len(jobs))
    return len(jobs)


def _work(job: BulkJob, item: BulkItem) -> None:
    now = timezone.now()
    with transaction.atomic():
        waiting = BulkItem.objects.filter(pk=item.pk, outcome=BulkOutcome.WAITING)
        # Taken first: another process waits here until this one has committed, and then finds nothing to do.
        if not waiting.update(outcome=BulkOutcome.DONE, done_at=now):
            return
        if (found := _act(job, item)) is not None:
            BulkItem.objects.filter(pk=item.pk).update(outcome=found.outcome, detail=found.text)


def _act(job: BulkJob, item: BulkItem) -> Obstacle | None:
    """Do the action to the token; return why it was not done, None if it was."""
    member = Member.objects.with_access().filter(pk=job.member_id or 0).select_related("workspace").first()
    if member is None:
        return Obstacle(BulkOutcome.DENIED, f"{job.requester} has no access to the console any more.")
    viewer = Viewer(member, [member])
    token = visible_tokens(viewer).filter(env=item.env, prefix=item.prefix).first()
    if token is None:
        return Obstacle(BulkOutcome.GONE, "It is no longer in this workspace, or no longer yours.")
    owner = token_owners(viewer, [token.prefix]).get(ref_of(token))
    status = token_statuses(viewer, [token])[ref_of(token)]
    action = BulkAction(job.action)
    if (found := obstacle(action, member=member, owner=owner, status=status)) is not None:
        return found
    return _block(job, member, token) if action is BulkAction.BLOCK else _request(job, token)


def _block(job: BulkJob, member: Member, token: ObservedToken) -> Obstacle | None:
    block = block_token(
        env=token.env,
        prefix=token.prefix,
        org_id=token.org_id,
        actor=job.actor,
        reason=job.reason[:200],
        liftable_by=liftable_by(member),
    )
    if block.is_new:
        return None
    return Obstacle(BulkOutcome.ALREADY, f"Blocked by {block.blocked_by.partition(' <')[0]}.")


def _request(job: BulkJob, token: ObservedToken) -> Obstacle | None:
    if job.campaign is None:
        return Obstacle(BulkOutcome.GONE, "The campaign of this request was deleted.")
    try:
        rotation = request_token(campaign=job.campaign, token=token, actor=job.actor)
    except UnknownTokenError as error:
        return Obstacle(BulkOutcome.GONE, str(error))
    if rotation.campaign_id == job.campaign_id:
        return None
    title = rotation.campaign.title if rotation.campaign else ""
    return Obstacle(BulkOutcome.ALREADY, f"Requested in the campaign “{title}”.")


def _end(job: BulkJob) -> None:
    with transaction.atomic():
        is_ours = BulkJob.objects.filter(pk=job.pk, ended_at=None).update(ended_at=timezone.now())
        if is_ours and job.campaign is not None:
            # One email to each owner, when all their tokens are known.
            queue_requests(job.campaign)
    job.refresh_from_db(fields=["ended_at"])
