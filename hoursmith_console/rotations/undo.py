"""Takes back what members said of a rotation, until it ends; and resumes one that was stopped.

What the console did itself (minted, revoked in the sandbox) and what the bridge saw cannot be taken back.
"""

from django.db import IntegrityError, transaction

from hoursmith_console.rotations.models import Rotation, RotationOutcome, RotationTarget
from hoursmith_console.rotations.new_token import is_taken
from hoursmith_console.rotations.notices.assistants import refresh_rotation_notice
from hoursmith_console.rotations.services import RotationError, clear_new_token, lock_rotation, record_rotation_event
from hoursmith_console.rotations.targets import create_targets
from hoursmith_console.token_policy.services import get_policy
from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.console_events import TokenNamed


def undo_new_token(*, rotation: Rotation, member: Member) -> None:
    """Know no successor any more: it was the wrong one. The token itself stays as it is."""
    with transaction.atomic():
        rotation = lock_rotation(rotation)
        key = rotation.new_key
        if key is None:
            raise RotationError("This rotation has no new token.")
        clear_new_token(rotation)
        refresh_rotation_notice(rotation, get_policy(rotation.workspace))
        details = {"new_token": TokenNamed(*key)}
        record_rotation_event(rotation, "successor_take_back", actor=member.display_identity, details=details)


def undo_revocation(*, rotation: Rotation, member: Member) -> None:
    """Take back that the old token was revoked at Hoursmith; raises RotationError where the console revoked it."""
    with transaction.atomic():
        rotation = lock_rotation(rotation)
        if rotation.revoked_at is None or not rotation.is_revocation_reported:
            raise RotationError("Nobody said that the old token was revoked at Hoursmith, so there is nothing to undo.")
        rotation.revoked_at = rotation.revoked_by = rotation.confirmed_unused_at = None
        rotation.is_revocation_reported = False
        rotation.save(update_fields=["revoked_at", "revoked_by", "confirmed_unused_at", "is_revocation_reported"])
        refresh_rotation_notice(rotation, get_policy(rotation.workspace))
        record_rotation_event(rotation, "revoke_take_back", actor=member.display_identity)


def undo_all_targets_confirmed(*, rotation: Rotation, member: Member) -> None:
    """Take back that every assistant has the new token."""
    with transaction.atomic():
        rotation = lock_rotation(rotation)
        if rotation.updated_at is None:
            raise RotationError("Nobody said that all assistants are updated, so there is nothing to undo.")
        rotation.updated_at = rotation.updated_by = None
        rotation.save(update_fields=["updated_at", "updated_by"])
        record_rotation_event(rotation, "updated_take_back", actor=member.display_identity)


def undo_target(*, target: RotationTarget, member: Member) -> None:
    """Take back what was said of this assistant: that it is updated, or no longer in use."""
    with transaction.atomic():
        rotation = lock_rotation(target.rotation)
        target.confirmed_at, target.unused_at, target.marked_by = None, None, member
        target.save(update_fields=["confirmed_at", "unused_at", "marked_by"])
        record_rotation_event(
            rotation, "tick_take_back", actor=member.display_identity, details={"assistant": target.label}
        )


def resume_rotation(*, rotation: Rotation, member: Member) -> None:
    """Go on with a rotation that was stopped. Its successor comes with it, unless another rotation has it by now.

    Raises RotationError where it was not stopped, or another rotation of the token is under way.
    """
    with transaction.atomic():
        held = Rotation.objects.select_for_update(of=("self",)).select_related("workspace").get(pk=rotation.pk)
        if held.outcome != RotationOutcome.CANCELLED:
            raise RotationError("This rotation was not stopped, so there is nothing to resume.")
        held.ended_at, held.outcome, held.ended_by = None, "", ""
        try:
            with transaction.atomic():
                held.save(update_fields=["ended_at", "outcome", "ended_by"])
        except IntegrityError:
            raise RotationError("Another rotation of this token is under way. Go on with that one.") from None
        if held.new_key is not None and is_taken(held, held.new_key):
            clear_new_token(held)
        create_targets(held)
        refresh_rotation_notice(held, get_policy(held.workspace))
        record_rotation_event(held, "resume", actor=member.display_identity)
    rotation.refresh_from_db()
