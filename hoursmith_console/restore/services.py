"""Restore what a destructive call archived or deleted: recorded before and after, sent once.

the token is refused                   nothing is recorded but the claim
another attempt is there               AlreadyRestoredError; nothing is sent
the start cannot be recorded           AuditUnavailableError; nothing is sent
the end cannot be recorded             the attempt stays open, and counts as unknown after a while
"""

import logging

from django.db import DatabaseError, IntegrityError, router, transaction
from django.utils import timezone

from hoursmith_console.restore.models import Restore
from hoursmith_console.restore.plan import RestorePlan
from hoursmith_console.restore.sending import RestoreOutcome, send_restore
from hoursmith_console.token_issuer.acting import acting_credential
from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.console_events import TokenNamed, record_event
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.audit.reconcile import outcome_deadline
from mcpbridge.core.credential import Credential
from mcpbridge.models import AuditEvent, Result

logger = logging.getLogger(__name__)

TOKEN_NAME = "Restore (used once)"  # noqa: S105 - a name, not a token


class AlreadyRestoredError(Exception):
    """The call was restored, is being restored, or may have been."""


class NothingToResolveError(Exception):
    """No attempt with an unknown outcome is there."""


def current_restore(intent: AuditEvent) -> Restore | None:
    """Return the attempt that prevents another one, if any."""
    return Restore.objects.filter(workspace__org_id=intent.org_id, call_id=intent.call_id, is_void=False).first()


def last_failed_restore(intent: AuditEvent) -> Restore | None:
    """Return the newest attempt that changed nothing, if any."""
    return Restore.objects.filter(workspace__org_id=intent.org_id, call_id=intent.call_id, is_void=True).first()


def is_under_way(attempt: Restore) -> bool:
    """Return whether the response of Hoursmith may still come."""
    return not attempt.result and timezone.now() - attempt.started_at < outcome_deadline()


def is_unknown(attempt: Restore) -> bool:
    """Return whether it may have succeeded: no usable response came, or the process ended before it was recorded."""
    return attempt.result == Result.UNKNOWN or (not attempt.result and not is_under_way(attempt))


def restore_record(plan: RestorePlan, *, member: Member, token: str) -> Restore:
    """Carry out `plan` as `member`; `token` is what they pasted, which the sandbox does not need.

    Raises AlreadyRestoredError, what `acting_credential` raises, and AuditUnavailableError. Nothing was sent then.
    """
    if current_restore(plan.intent):
        raise AlreadyRestoredError
    with acting_credential(member=member, text=token, name=TOKEN_NAME) as credential:
        attempt = _begin(plan, member, credential)
        outcome = send_restore(plan, credential)
    try:
        _finish(plan, attempt, outcome)
    except (AuditUnavailableError, DatabaseError):
        # Open, as the stored row is: it counts as unknown after a while.
        logger.error("The outcome of a restore is not recorded: call %s, %s.", attempt.call_id, outcome.result)
        attempt.result, attempt.is_void = "", False
    return attempt


def resolve_restore(attempt: Restore, intent: AuditEvent, *, came_back: bool, actor: str) -> None:
    """Record what `actor` found in Hoursmith about an attempt with an unknown outcome.

    Raises NothingToResolveError and AuditUnavailableError.
    """
    with transaction.atomic(using=router.db_for_write(Restore)):
        held = Restore.objects.select_for_update().filter(pk=attempt.pk, is_void=False).first()
        if held is None or not is_unknown(held):
            raise NothingToResolveError
        held.result = Result.SUCCEEDED if came_back else Result.FAILED
        held.is_void, held.ended_at = not came_back, timezone.now()
        held.problem = f"{actor} looked in Hoursmith: it is {'there' if came_back else 'not there'}."
        held.save(update_fields=["result", "is_void", "ended_at", "problem"])
        _record("console.restore_resolve", intent, held, actor=actor, result=Result(held.result))


def _begin(plan: RestorePlan, member: Member, credential: Credential) -> Restore:
    """Commit the attempt and its audit entry. The constraint lets only one of two at the same time through."""
    attempt = Restore(
        workspace=member.workspace,
        call_id=plan.intent.call_id,
        env=credential.env,
        prefix=credential.prefix,
        actor=member.display_identity,
    )
    try:
        with transaction.atomic(using=router.db_for_write(Restore)):
            attempt.save()
            _record("console.restore_start", plan.intent, attempt, actor=attempt.actor)
    except IntegrityError:
        raise AlreadyRestoredError from None
    return attempt


def _finish(plan: RestorePlan, attempt: Restore, outcome: RestoreOutcome) -> None:
    with transaction.atomic(using=router.db_for_write(Restore)):
        attempt.result, attempt.is_void = outcome.result, outcome.is_void
        attempt.problem, attempt.record_id, attempt.ended_at = outcome.problem, outcome.record_id, timezone.now()
        attempt.save(update_fields=["result", "is_void", "problem", "record_id", "ended_at"])
        answer = {"status": outcome.status, "code": outcome.code} if outcome.code else {"status": outcome.status}
        _record("console.restore", plan.intent, attempt, actor=attempt.actor, result=outcome.result, **answer)


def _record(
    action: str, intent: AuditEvent, attempt: Restore, *, actor: str, result: Result = Result.SUCCEEDED, **more: object
) -> None:
    record_event(
        org_id=intent.org_id,
        org_name=intent.org_name,
        action=action,
        actor=actor,
        target_type=intent.target_type,
        target_id=intent.target_id,
        target_label=intent.target_label,
        token=TokenNamed(attempt.env, attempt.prefix),
        details={"call": str(intent.call_id), **({"record": attempt.record_id} if attempt.record_id else {}), **more},
        note=attempt.problem,
        result=result,
    )
