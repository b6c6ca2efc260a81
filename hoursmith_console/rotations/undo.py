"""Undo steps that members reported, until the rotation ends, and resume cancelled rotations.

Steps done by the console (created, revoked in the sandbox) and observed steps cannot be undone.
"""

from django.db import IntegrityError, transaction

from hoursmith_console.rotations.models import Rotation, RotationOutcome, RotationTarget
from hoursmith_console.rotations.new_token import is_taken
from hoursmith_console.rotations.notices.assistants import refresh_rotation_notice
from hoursmith_console.rotations.progress.targets import create_targets
from hoursmith_console.rotations.services import RotationError, clear_new_token, lock_rotation, record_rotation_event
from hoursmith_console.token_policy.services import get_policy
from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.console_events import TokenNamed


def undo_new_token(*, rotation: Rotation, member: Member) -> None:
    """Remove the new token from the rotation. The token itself is not changed."""
    with transaction.atomic():
        rotation = lock_rotation(rotation)
        ref = rotation.new_ref
        if ref is None:
            raise RotationError("This rotation has no new token.")
        clear_new_token(rotation)
        refresh_rotation_notice(rotation, get_policy(rotation.workspace))
        details = {"new_token": TokenNamed(*ref)}
        record_rotation_event(rotation, "successor_take_back", actor=member.display_identity, details=details)


def undo_revocation(*, rotation: Rotation, member: Member) -> None:
    """Undo a reported revocation. Raises RotationError if the console revoked the token or none was reported."""
    with transaction.atomic():
        rotation = lock_rotation(rotation)
        if rotation.revoked_at is None or not rotation.is_revocation_reported:
            raise RotationError("The old token was not reported as revoked, so there is nothing to undo.")
        rotation.revoked_at = rotation.revoked_by = rotation.confirmed_unused_at = None
        rotation.is_revocation_reported = False
        rotation.save(update_fields=["revoked_at", "revoked_by", "confirmed_unused_at", "is_revocation_reported"])
        refresh_rotation_notice(rotation, get_policy(rotation.workspace))
        record_rotation_event(rotation, "revoke_take_back", actor=member.display_identity)


def undo_all_targets_confirmed(*, rotation: Rotation, member: Member) -> None:
    """Undo that all assistants were marked as updated."""
    with transaction.atomic():
        rotation = lock_rotation(rotation)
        if rotation.updated_at is None:
            raise RotationError("The assistants were not marked as updated, so there is nothing to undo.")
        rotation.updated_at = rotation.updated_by = None
        rotation.save(update_fields=["updated_at", "updated_by"])
        record_rotation_event(rotation, "updated_take_back", actor=member.display_identity)


def undo_target(*, target: RotationTarget, member: Member) -> None:
    """Undo that the assistant was marked as updated or no longer used."""
    with transaction.atomic():
        rotation = lock_rotation(target.rotation)
        target.confirmed_at, target.unused_at, target.marked_by = None, None, member
        target.save(update_fields=["confirmed_at", "unused_at", "marked_by"])
        record_rotation_event(
            rotation, "tick_take_back", actor=member.display_identity, details={"assistant": target.label}
        )


def resume_rotation(*, rotation: Rotation, member: Member) -> None:
    """Resume a cancelled rotation, with its new token unless another rotation uses it now.

    Raises RotationError if it was not cancelled, or another rotation of the token is open.
    """
    with transaction.atomic():
        locked = Rotation.objects.select_for_update(of=("self",)).select_related("workspace").get(pk=rotation.pk)
        if locked.outcome != RotationOutcome.CANCELLED:
            raise RotationError("This rotation was not cancelled, so there is nothing to resume.")
        locked.ended_at, locked.outcome, locked.ended_by = None, "", ""
        try:
            with transaction.atomic():
                locked.save(update_fields=["ended_at", "outcome", "ended_by"])
        except IntegrityError:
            raise RotationError("Another rotation of this token is in progress. Continue with that one.") from None
        if locked.new_ref is not None and is_taken(locked, locked.new_ref):
            clear_new_token(locked)
        create_targets(locked)
        refresh_rotation_notice(locked, get_policy(locked.workspace))
        record_rotation_event(locked, "resume", actor=member.display_identity)
    rotation.refresh_from_db()
