"""Queue and send emails that ask members to rotate or revoke tokens. They contain no link and no secret.

Emails are queued in the transaction that decides them and sent outside of any. One process reserves an email before
sending it, so that none is sent twice; if that process dies, the email is not retried, because it may have been sent.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import get_connection
from django.utils import timezone

from hoursmith_console.rotations.models import MailKind, Rotation, RotationKind, RotationMail
from hoursmith_console.tokens.blocks import blocks_of
from hoursmith_console.workspaces.mail import build_message, unlinked_text
from hoursmith_console.workspaces.models import Member
from mcpbridge.redaction.masking import redact

logger = logging.getLogger(__name__)

# Per round, so that a slow mail server does not block the thread for long.
_MAX_PER_ROUND = 20
_MAX_ATTEMPTS = 4
_FIRST_RETRY_AFTER = timedelta(minutes=5)
# Backends that deliver no mail.
_NOT_DELIVERING = ("console", "dummy")
_ERROR_LENGTH = 120


def is_mail_configured() -> bool:
    """Return whether a mail server is configured."""
    return settings.EMAIL_BACKEND.split(".")[-2] not in _NOT_DELIVERING


def queue_mail(*, kind: MailKind, member: Member, campaign: Any, now: datetime | None = None) -> bool:
    """Queue an email to `member`; return False if they already got one for this occasion or cannot get any.

    `campaign` is a `campaigns.Campaign`. A member gets one reminder a day at most, for any number of campaigns, and
    none on the day of a request.
    """
    if not (is_mail_configured() and member.email and member.is_active):
        return False
    now = now or timezone.now()
    if kind == MailKind.REQUEST:
        key = f"request:{campaign.pk}:{member.pk}"
    else:
        key = f"reminder:{now:%Y-%m-%d}:{member.pk}"
        if RotationMail.objects.filter(member=member, kind=MailKind.REQUEST, queued_at__date=now.date()).exists():
            return False
    _, is_new = RotationMail.objects.get_or_create(
        key=key,
        defaults={
            "kind": kind,
            "workspace_id": member.workspace_id,
            "member": member,
            "campaign": campaign,
            "queued_at": now,
            "next_attempt_at": now,
        },
    )
    return is_new


def send_due_mails(*, now: datetime) -> int:
    """Send due emails and return how many were sent. Call outside of transactions."""
    due = RotationMail.objects.filter(sent_at=None, next_attempt_at__lte=now).select_related(
        "member", "workspace", "campaign"
    )
    sent = 0
    for mail in due.order_by("next_attempt_at", "pk")[:_MAX_PER_ROUND]:
        if reserve_mail(mail):
            sent += _send(mail, now)
    return sent


def reserve_mail(mail: RotationMail) -> bool:
    """Reserve the email for this process; return False if another one has it."""
    return bool(
        RotationMail.objects.filter(pk=mail.pk, next_attempt_at=mail.next_attempt_at).update(next_attempt_at=None)
    )


def _send(mail: RotationMail, now: datetime) -> bool:
    rotations = _open_rotations_for(mail)
    if not rotations:
        RotationMail.objects.filter(pk=mail.pk).update(last_error="Nothing was left to request.")
        return False
    subject, text = build_mail_text(mail, rotations, now)
    try:
        connection = get_connection(timeout=10) if "smtp" in settings.EMAIL_BACKEND else get_connection()
        build_message(subject=subject, text=text, to=mail.member.email, connection=connection).send()
    except Exception as error:
        # Any failure of the mail server or its library is shown on the campaign's page.
        _failed(mail, now, error)
        return False
    RotationMail.objects.filter(pk=mail.pk).update(sent_at=now, attempts=mail.attempts + 1, last_error="")
    Rotation.objects.filter(pk__in=[rotation.pk for rotation in rotations]).update(reminded_at=now)
    return True


def _failed(mail: RotationMail, now: datetime, error: Exception) -> None:
    attempts = mail.attempts + 1
    next_attempt_at = now + _FIRST_RETRY_AFTER * 3 ** (attempts - 1) if attempts < _MAX_ATTEMPTS else None
    last_error = redact(f"{type(error).__name__}: {error}")[:_ERROR_LENGTH]
    RotationMail.objects.filter(pk=mail.pk).update(
        attempts=attempts, next_attempt_at=next_attempt_at, last_error=last_error
    )
    logger.warning("A rotation email could not be sent (attempt %d): %s", attempts, type(error).__name__)


def _open_rotations_for(mail: RotationMail) -> list[Rotation]:
    """Return the member's rotations to do: those of the campaign for a request, all of them for a reminder."""
    found = Rotation.objects.needing_action().filter(owner=mail.member).exclude(kind=RotationKind.OFFBOARDING)
    if mail.kind == MailKind.REQUEST:
        found = found.filter(campaign=mail.campaign)
    return list(found.order_by("due_on", "pk"))


def build_mail_text(mail: RotationMail, rotations: Sequence[Rotation], now: datetime) -> tuple[str, str]:
    """Return subject and body: tokens, due dates, and where to go, without a link."""
    many = "tokens" if len(rotations) > 1 else "token"
    kinds = {rotation.kind == RotationKind.REVOCATION for rotation in rotations}
    verb = "rotate or revoke" if len(kinds) > 1 else "revoke" if True in kinds else "rotate"
    first = f"Reminder: please {verb}" if mail.kind == MailKind.REMINDER else f"Please {verb}"
    lines = [f"Hello {unlinked_text(mail.member.name)},", ""]
    asker = unlinked_text(mail.campaign.requester) if mail.campaign else "The workspace"
    lines += [
        f"{asker} asks you to {verb} your Hoursmith {many} in the workspace {unlinked_text(mail.workspace.name)}:",
        "",
    ]
    blocks = blocks_of(mail.workspace.org_id, [rotation.old_ref for rotation in rotations])
    for rotation in rotations:
        what = f": {'revoke' if rotation.kind == RotationKind.REVOCATION else 'rotate'}" if len(kinds) > 1 else ""
        by = f" by {rotation.due_on:%-d %B %Y}" if rotation.due_on else ""
        late = " (overdue)" if rotation.due_on and rotation.due_on < now.date() else ""
        lines.append(f"  {rotation.masked_token}{what}{by}{late}")
        if (block := blocks.get(rotation.old_ref)) is not None:
            reason = f": {unlinked_text(block.reason)}" if block.reason else ""
            lines.append(f"    Blocked by {unlinked_text(block.blocker)}{reason}. Your assistant is down now.")
    if mail.campaign and mail.campaign.reason:
        lines += ["", f"Reason: {unlinked_text(mail.campaign.reason)}"]
    lines += [
        "",
        "Open the Hoursmith console as usual, sign in, and choose Rotations.",
        "This email contains no link on purpose. We never ask for a token by email.",
        "",
    ]
    return f"{first} your Hoursmith {many}", "\n".join(lines)
