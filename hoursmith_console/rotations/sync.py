"""Moves rotations on by what the bridge has seen. Idempotent: the same evidence changes nothing twice."""

from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from hoursmith_console.rotations.evidence import Evidence, evidence_of
from hoursmith_console.rotations.models import Rotation, RotationKind, RotationOutcome
from hoursmith_console.rotations.notices.assistants import refresh_rotation_notice
from hoursmith_console.rotations.services import RotationError, end_rotation, lock_rotation, set_owner
from hoursmith_console.rotations.state import Instants, current_step
from hoursmith_console.rotations.targets import TokenUse, add_targets, target_key
from hoursmith_console.token_issuer import current_issuer
from hoursmith_console.token_policy.services import get_policy
from hoursmith_console.tokens.models import TokenClaim


def instants_of(rotation: Rotation) -> Instants:
    """When each step of `rotation` was done."""
    # Until the old token is revoked, what counts is how that will be.
    is_said = rotation.is_revocation_reported if rotation.revoked_at else not current_issuer().supports_minting
    return Instants(
        revoked_at=rotation.revoked_at,
        minted_at=rotation.minted_at,
        updated_at=rotation.updated_at,
        verified_at=rotation.verified_at,
        confirmed_unused_at=rotation.confirmed_unused_at,
        is_revocation_reported=is_said,
    )


def sync_rotation(*, rotation: Rotation, now: datetime) -> Evidence:
    """Bring `rotation` up to what the bridge has seen by `now`, and what that was.

    Raises AuditUnavailableError where it has come to its end and that cannot be recorded; then it has not.
    """
    evidence = evidence_of([rotation])[rotation.pk]
    if rotation.ended_at is not None or not needs_sync(rotation, evidence, now):
        return evidence
    try:
        with transaction.atomic():
            held = lock_rotation(rotation)
            add_targets(held, _new_uses(held, evidence))
            if (claim := _owner_known(held)) is not None:
                set_owner(held, claim.member, is_said=False)
            # Once more under the lock: somebody else may have moved it on meanwhile.
            evidence = evidence_of([held])[held.pk]
            _advance(held, evidence, now)
    except RotationError:
        pass
    rotation.refresh_from_db()
    return evidence_of([rotation])[rotation.pk]


def needs_sync(rotation: Rotation, evidence: Evidence, now: datetime) -> bool:
    """Whether `sync_rotation` would change anything."""
    if _new_uses(rotation, evidence) or _owner_known(rotation) is not None:
        return True
    if any(each.new is not None and each.target.seen_at is None for each in evidence.targets):
        return True
    before = instants_of(rotation)
    after = _seen(rotation, evidence, now)
    return before != after or _is_over(rotation, after, evidence)


def _advance(rotation: Rotation, evidence: Evidence, now: datetime) -> None:
    for each in evidence.targets:
        if each.new is not None and each.target.seen_at is None:
            each.target.seen_at = each.new.first_at
            each.target.save(update_fields=["seen_at"])
    after = _seen(rotation, evidence, now)
    rotation.updated_at, rotation.verified_at, rotation.confirmed_unused_at = (
        after.updated_at,
        after.verified_at,
        after.confirmed_unused_at,
    )
    rotation.save(update_fields=["updated_at", "verified_at", "confirmed_unused_at"])
    refresh_rotation_notice(rotation, get_policy(rotation.workspace))
    if _is_over(rotation, after, evidence):
        end_rotation(rotation, RotationOutcome.DONE, actor="")


def _seen(rotation: Rotation, evidence: Evidence, now: datetime) -> Instants:
    """The instants of `rotation` with those that the evidence adds."""
    before = instants_of(rotation)
    updated_at, verified_at, confirmed_unused_at = before.updated_at, before.verified_at, before.confirmed_unused_at
    if rotation.new_prefix and verified_at is None and evidence.new_at is not None and not evidence.remaining:
        verified_at = now
    if updated_at is None and evidence.targets and rotation.new_prefix:
        told = [each.target.confirmed_at or each.seen_at or each.target.unused_at for each in evidence.targets]
        if all(told):
            updated_at = now
    if (
        confirmed_unused_at is None
        and before.revoked_at is not None
        and _is_silent(rotation, before.revoked_at, evidence, now)
    ):
        confirmed_unused_at = now
    return replace(before, updated_at=updated_at, verified_at=verified_at, confirmed_unused_at=confirmed_unused_at)


def quiet_period() -> timedelta:
    """How long nothing may have tried a revoked token before it counts as forgotten."""
    return timedelta(hours=settings.ROTATION_QUIET_HOURS)


def _is_silent(rotation: Rotation, revoked_at: datetime, evidence: Evidence, now: datetime) -> bool:
    if evidence.is_accepted_after(revoked_at):
        return False
    if rotation.kind != RotationKind.PLANNED and evidence.is_rejected_after(revoked_at):
        # Hoursmith itself said that it is revoked. A planned rotation still waits for who was forgotten.
        return True
    return now - max(revoked_at, evidence.last_attempt_at or revoked_at) >= quiet_period()


def _is_over(rotation: Rotation, instants: Instants, evidence: Evidence) -> bool:
    # What Hoursmith still accepts is not revoked, whatever anybody said.
    is_still_accepted = evidence.is_accepted_after(instants.revoked_at)
    return current_step(RotationKind(rotation.kind), instants) is None and not is_still_accepted


def _new_uses(rotation: Rotation, evidence: Evidence) -> list[TokenUse]:
    """Assistants that have used the old token since it is being replaced, and have no target yet."""
    return [
        use
        for use in evidence.uses
        if use.last_used_at > rotation.requested_at
        and use.key not in {target_key(each.target) for each in evidence.targets}
    ]


def _owner_known(rotation: Rotation) -> TokenClaim | None:
    """The claim that tells whose token it is, where the rotation does not know it yet, or only by an admin's word."""
    if rotation.owner_id is not None and not rotation.is_owner_assigned:
        return None
    claims = TokenClaim.objects.filter(
        env=rotation.env, prefix=rotation.prefix, member__workspace_id=rotation.workspace_id
    )
    return claims.select_related("member").first()
