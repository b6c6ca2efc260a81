"""Remind the owner of one rotation by email."""

from datetime import datetime

from django.db import transaction

from hoursmith_console.rotations.models import MailKind, Rotation
from hoursmith_console.rotations.notices.mails import queue_mail
from hoursmith_console.rotations.services import RotationError, lock_rotation, record_rotation_event
from hoursmith_console.workspaces.models import Member


def remind_owner(*, rotation: Rotation, member: Member, now: datetime) -> bool:
    """Queue a reminder to the owner, at most one a day; return False if they got one or have no address.

    Raises RotationError if nothing is left for the owner to do, or AuditUnavailableError; then none was queued.
    """
    with transaction.atomic():
        locked = lock_rotation(rotation)
        if locked.owner is None or not Rotation.objects.needing_action().filter(pk=locked.pk).exists():
            raise RotationError("Nothing is left for the owner to do.")
        is_queued = queue_mail(kind=MailKind.REMINDER, member=locked.owner, campaign=locked.campaign, now=now)
        if is_queued:
            record_rotation_event(locked, "remind", actor=member.display_identity)
    return is_queued
