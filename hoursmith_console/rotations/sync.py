"""Moves rotations on by what the bridge has seen. Idempotent: the same evidence changes nothing twice."""

from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from hoursmith_console.rotations.evidence import Evidence, evidence_of
from hoursmith_console.rotations.models import Ending, Kind, Rotation
from hoursmith_console.rotations.notices.assistants import rotation_notice_refresh
from hoursmith_console.rotations.services import RotationError, owner_set, rotation_end, rotation_held
from hoursmith_console.rotations.state import Instants, current_step
from hoursmith_console.rotations.targets import Use, place_key, places_add
from hoursmith_console.token_issuer import current_authority
from hoursmith_console.token_policy.services import policy_of
from hoursmith_console.tokens.models import TokenClaim


def instants_of(rotation: Rotation) -> Instants:
    """When each step of `rotation` was done."""
    # Until the old token is revoked, what counts is how that will be.
    is_said = rotation.is_revocation_said if rotation.revoked_at else not current_authority().can_mint
    return Instants(
        revoked_at=rotation.revoked_at,
        minted_at=rotation.minted_at,
        updated_at=rotation.updated_at,
        seen_at=rotation.seen_at,
        silent_at=rotation.silent_at,
        is_revocation_said=is_said,
    )


def rotation_observe(*, rotation: Rotation, now: datetime) -> Evidence:
    """Bring `rotation` up to what the bridge has seen by `now`, and what that was.

    Raises AuditUnavailableError where it has come to its end and that cannot be recorded; then it has not.
    """
    evidence = evidence_of([rotation])[rotation.pk]
    if rotation.ended_at is not None or not is_news(rotation, evidence, now):
        return evidence
    try:
        with transaction.atomic():
            held = rotation_held(rotation)
            places_add(held, _new_uses(held, evidence))
            if (claim := _owner_known(held)) is not None:
                owner_set(held, claim.member, is_said=False)
            # Once more under the lock: somebody else may have moved it on meanwhile.
            evidence = evidence_of([held])[held.pk]
            _advance(held, evidence, now)
    except RotationError:
        pass
    rotation.refresh_from_db()
    return evidence_of([rotation])[rotation.pk]


def is_news(rotation: Rotation, evidence: Evidence, now: datetime) -> bool:
    """Whether `rotation_observe` would change anything."""
    if _new_uses(rotation, evidence) or _owner_known(rotation) is not None:
        return True
    if any(each.new is not None and each.place.seen_at is None for each in evidence.places):
        return True
    before = instants_of(rotation)
    after = _seen(rotation, evidence, now)
    return before != after or _is_over(rotation, after, evidence)


def _advance(rotation: Rotation, evidence: Evidence, now: datetime) -> None:
    for each in evidence.places:
        if each.new is not None and each.place.seen_at is None:
            each.place.seen_at = each.new.first_at
            each.place.save(update_fields=["seen_at"])
    after = _seen(rotation, evidence, now)
    rotation.updated_at, rotation.seen_at, rotation.silent_at = after.updated_at, after.seen_at, after.silent_at
    rotation.save(update_fields=["updated_at", "seen_at", "silent_at"])
    rotation_notice_refresh(rotation, policy_of(rotation.workspace))
    if _is_over(rotation, after, evidence):
        rotation_end(rotation, Ending.DONE, actor="")


def _seen(rotation: Rotation, evidence: Evidence, now: datetime) -> Instants:
    """The instants of `rotation` with those that the evidence adds."""
    before = instants_of(rotation)
    updated_at, seen_at, silent_at = before.updated_at, before.seen_at, before.silent_at
    if rotation.new_prefix and seen_at is None and evidence.new_at is not None and not evidence.unsettled:
        seen_at = now
    if updated_at is None and evidence.places and rotation.new_prefix:
        told = [each.place.ticked_at or each.seen_at or each.place.given_up_at for each in evidence.places]
        if all(told):
            updated_at = now
    if silent_at is None and before.revoked_at is not None and _is_silent(rotation, before.revoked_at, evidence, now):
        silent_at = now
    return replace(before, updated_at=updated_at, seen_at=seen_at, silent_at=silent_at)


def quiet_span() -> timedelta:
    """How long nothing may have tried a revoked token before it counts as forgotten."""
    return timedelta(hours=settings.ROTATION_QUIET_HOURS)


def _is_silent(rotation: Rotation, revoked_at: datetime, evidence: Evidence, now: datetime) -> bool:
    if evidence.works_after(revoked_at):
        return False
    if rotation.kind != Kind.PLANNED and evidence.is_refused_after(revoked_at):
        # Hoursmith itself said that it is revoked. A planned rotation still waits for who was forgotten.
        return True
    return now - max(revoked_at, evidence.last_try_at or revoked_at) >= quiet_span()


def _is_over(rotation: Rotation, instants: Instants, evidence: Evidence) -> bool:
    # What Hoursmith still accepts is not revoked, whatever anybody said.
    is_alive = evidence.works_after(instants.revoked_at)
    return current_step(Kind(rotation.kind), instants) is None and not is_alive


def _new_uses(rotation: Rotation, evidence: Evidence) -> list[Use]:
    """Assistants that have used the old token since it is being replaced, and have no place yet."""
    return [
        use
        for use in evidence.uses
        if use.last_used_at > rotation.asked_at and use.key not in {place_key(each.place) for each in evidence.places}
    ]


def _owner_known(rotation: Rotation) -> TokenClaim | None:
    """The claim that tells whose token it is, where the rotation does not know it yet, or only by an admin's word."""
    if rotation.owner_id is not None and not rotation.is_owner_said:
        return None
    claims = TokenClaim.objects.filter(
        env=rotation.env, prefix=rotation.prefix, member__workspace_id=rotation.workspace_id
    )
    return claims.select_related("member").first()
