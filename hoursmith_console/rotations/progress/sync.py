"""Advance rotations from observed calls. Idempotent: the same evidence changes nothing twice."""

from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from hoursmith_console.rotations.models import Rotation, RotationKind, RotationOutcome
from hoursmith_console.rotations.notices.assistants import refresh_rotation_notice
from hoursmith_console.rotations.progress.evidence import Evidence, evidence_of
from hoursmith_console.rotations.progress.targets import add_targets, target_key
from hoursmith_console.rotations.progress.uses import TokenUse
from hoursmith_console.rotations.services import RotationError, end_rotation, lock_rotation, set_owner
from hoursmith_console.rotations.state import Instants, current_step
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_policy.services import get_policy
from hoursmith_console.tokens.models import TokenClaim


def instants_of(rotation: Rotation) -> Instants:
    """Return when each step of `rotation` was completed."""
    # Before the revocation, what counts is how it will be done.
    is_reported = rotation.is_revocation_reported if rotation.revoked_at else not current_issuer().supports_minting
    return Instants(
        revoked_at=rotation.revoked_at,
        minted_at=rotation.minted_at,
        updated_at=rotation.updated_at,
        verified_at=rotation.verified_at,
        confirmed_unused_at=rotation.confirmed_unused_at,
        is_revocation_reported=is_reported,
    )


def sync_rotation(*, rotation: Rotation, now: datetime) -> Evidence:
    """Update `rotation` from the calls observed until `now`, and return the evidence.

    Raises AuditUnavailableError if the rotation has completed and that cannot be logged; then it stays open.
    """
    evidence = evidence_of([rotation])[rotation.pk]
    if rotation.ended_at is not None or not needs_sync(rotation, evidence, now):
        return evidence
    try:
        with transaction.atomic():
            locked = lock_rotation(rotation)
            add_targets(locked, _new_uses(locked, evidence))
            if (claim := _verified_owner(locked)) is not None:
                set_owner(locked, claim.member, is_assigned=False)
            # Read again under the lock: another process may have updated the rotation.
            evidence = evidence_of([locked])[locked.pk]
            _advance(locked, evidence, now)
    except RotationError:
        pass
    rotation.refresh_from_db()
    return evidence_of([rotation])[rotation.pk]


def needs_sync(rotation: Rotation, evidence: Evidence, now: datetime) -> bool:
    """Return whether `sync_rotation` would change anything."""
    if _new_uses(rotation, evidence) or _verified_owner(rotation) is not None:
        return True
    if any(each.new is not None and each.target.seen_at is None for each in evidence.targets):
        return True
    before = instants_of(rotation)
    after = _with_observed(rotation, evidence, now)
    return before != after or _is_complete(rotation, after, evidence)


def _advance(rotation: Rotation, evidence: Evidence, now: datetime) -> None:
    for each in evidence.targets:
        if each.new is not None and each.target.seen_at is None:
            each.target.seen_at = each.new.first_at
            each.target.save(update_fields=["seen_at"])
    after = _with_observed(rotation, evidence, now)
    rotation.updated_at, rotation.verified_at, rotation.confirmed_unused_at = (
        after.updated_at,
        after.verified_at,
        after.confirmed_unused_at,
    )
    rotation.save(update_fields=["updated_at", "verified_at", "confirmed_unused_at"])
    refresh_rotation_notice(rotation, get_policy(rotation.workspace))
    if _is_complete(rotation, after, evidence):
        end_rotation(rotation, RotationOutcome.DONE, actor="")


def _with_observed(rotation: Rotation, evidence: Evidence, now: datetime) -> Instants:
    """Return the instants of `rotation`, completed by the evidence."""
    before = instants_of(rotation)
    updated_at, verified_at, confirmed_unused_at = before.updated_at, before.verified_at, before.confirmed_unused_at
    if rotation.new_prefix and verified_at is None and evidence.new_at is not None and not evidence.remaining:
        verified_at = now
    if updated_at is None and evidence.targets and rotation.new_prefix:
        marked = [each.target.confirmed_at or each.seen_at or each.target.unused_at for each in evidence.targets]
        if all(marked):
            updated_at = now
    if (
        confirmed_unused_at is None
        and before.revoked_at is not None
        and _is_unused(rotation, before.revoked_at, evidence, now)
    ):
        confirmed_unused_at = now
    return replace(before, updated_at=updated_at, verified_at=verified_at, confirmed_unused_at=confirmed_unused_at)


def quiet_period() -> timedelta:
    """Return how long a revoked token must go without attempts to count as unused."""
    return timedelta(hours=settings.ROTATION_QUIET_HOURS)


def quiet_until(rotation: Rotation, evidence: Evidence) -> datetime | None:
    """Return when the old token counts as unused if there are no further attempts; None before its revocation."""
    if rotation.revoked_at is None:
        return None
    return max(rotation.revoked_at, evidence.last_attempt_at or rotation.revoked_at) + quiet_period()


def _is_unused(rotation: Rotation, revoked_at: datetime, evidence: Evidence, now: datetime) -> bool:
    if evidence.is_accepted_after(revoked_at):
        return False
    if rotation.kind != RotationKind.PLANNED and evidence.is_rejected_after(revoked_at):
        # Hoursmith rejected it, so it is revoked. A planned rotation still waits for late attempts.
        return True
    return now - max(revoked_at, evidence.last_attempt_at or revoked_at) >= quiet_period()


def _is_complete(rotation: Rotation, instants: Instants, evidence: Evidence) -> bool:
    # A token that Hoursmith still accepts is not revoked, whatever was reported.
    is_still_accepted = evidence.is_accepted_after(instants.revoked_at)
    return current_step(RotationKind(rotation.kind), instants) is None and not is_still_accepted


def _new_uses(rotation: Rotation, evidence: Evidence) -> list[TokenUse]:
    """Return uses of the old token since the rotation started, by assistants without a target."""
    return [
        use
        for use in evidence.uses
        if use.last_used_at > rotation.requested_at
        and use.key not in {target_key(each.target) for each in evidence.targets}
    ]


def _verified_owner(rotation: Rotation) -> TokenClaim | None:
    """Return the claim on the old token, if the rotation has no verified owner yet."""
    if rotation.owner_id is not None and not rotation.is_owner_assigned:
        return None
    claims = TokenClaim.objects.filter(
        env=rotation.env, prefix=rotation.prefix, member__workspace_id=rotation.workspace_id
    )
    return claims.select_related("member").first()
