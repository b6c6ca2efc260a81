"""Takes back what members said of a rotation, until it ends; and resumes one that was stopped.

What the console did itself (minted, revoked in the sandbox) and what the bridge saw cannot be taken back.
"""

from django.db import IntegrityError, transaction

from hoursmith_console.rotations.models import Ending, Rotation, RotationPlace
from hoursmith_console.rotations.new_token import is_taken
from hoursmith_console.rotations.notices.assistants import rotation_notice_refresh
from hoursmith_console.rotations.services import RotationError, rotation_held, rotation_record, successor_clear
from hoursmith_console.rotations.targets import places_open
from hoursmith_console.token_policy.services import policy_of
from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.console_events import TokenNamed


def successor_take_back(*, rotation: Rotation, member: Member) -> None:
    """Know no successor any more: it was the wrong one. The token itself stays as it is."""
    with transaction.atomic():
        rotation = rotation_held(rotation)
        key = rotation.new_key
        if key is None:
            raise RotationError("This rotation has no new token.")
        successor_clear(rotation)
        rotation_notice_refresh(rotation, policy_of(rotation.workspace))
        details = {"new_token": TokenNamed(*key)}
        rotation_record(rotation, "successor_take_back", actor=member.named, details=details)


def revocation_take_back(*, rotation: Rotation, member: Member) -> None:
    """Take back that the old token was revoked at Hoursmith; raises RotationError where the console revoked it."""
    with transaction.atomic():
        rotation = rotation_held(rotation)
        if rotation.revoked_at is None or not rotation.is_revocation_said:
            raise RotationError("Nobody said that the old token was revoked at Hoursmith, so there is nothing to undo.")
        rotation.revoked_at = rotation.revoked_by = rotation.silent_at = None
        rotation.is_revocation_said = False
        rotation.save(update_fields=["revoked_at", "revoked_by", "silent_at", "is_revocation_said"])
        rotation_notice_refresh(rotation, policy_of(rotation.workspace))
        rotation_record(rotation, "revoke_take_back", actor=member.named)


def updated_take_back(*, rotation: Rotation, member: Member) -> None:
    """Take back that every assistant has the new token."""
    with transaction.atomic():
        rotation = rotation_held(rotation)
        if rotation.updated_at is None:
            raise RotationError("Nobody said that all assistants are updated, so there is nothing to undo.")
        rotation.updated_at = rotation.updated_by = None
        rotation.save(update_fields=["updated_at", "updated_by"])
        rotation_record(rotation, "updated_take_back", actor=member.named)


def place_take_back(*, place: RotationPlace, member: Member) -> None:
    """Take back what was said of this assistant: that it is updated, or no longer in use."""
    with transaction.atomic():
        rotation = rotation_held(place.rotation)
        place.ticked_at, place.given_up_at, place.said_by = None, None, member
        place.save(update_fields=["ticked_at", "given_up_at", "said_by"])
        rotation_record(rotation, "tick_take_back", actor=member.named, details={"assistant": place.label})


def rotation_resume(*, rotation: Rotation, member: Member) -> None:
    """Go on with a rotation that was stopped. Its successor comes with it, unless another rotation has it by now.

    Raises RotationError where it was not stopped, or another rotation of the token is under way.
    """
    with transaction.atomic():
        held = Rotation.objects.select_for_update(of=("self",)).select_related("workspace").get(pk=rotation.pk)
        if held.ending != Ending.ABANDONED:
            raise RotationError("This rotation was not stopped, so there is nothing to resume.")
        held.ended_at, held.ending, held.ended_by = None, "", ""
        try:
            with transaction.atomic():
                held.save(update_fields=["ended_at", "ending", "ended_by"])
        except IntegrityError:
            raise RotationError("Another rotation of this token is under way. Go on with that one.") from None
        if held.new_key is not None and is_taken(held, held.new_key):
            successor_clear(held)
        places_open(held)
        rotation_notice_refresh(held, policy_of(held.workspace))
        rotation_record(held, "resume", actor=member.named)
    rotation.refresh_from_db()
