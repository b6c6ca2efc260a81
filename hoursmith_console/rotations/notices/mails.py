"""Writes to people about the tokens that they are asked to rotate. No link, no secret, nothing that can be clicked.

Who is to be written to is noted in the transaction that decides it; a thread sends outside of any transaction. Each
message is taken by one process alone and marked before it is sent, so that none is sent twice. One that was taken by
a process that died is not tried again: it may have been sent.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import get_connection
from django.utils import timezone

from hoursmith_console.rotations.models import MailKind, Rotation, RotationKind, RotationMail
from hoursmith_console.workspaces.mail import build_message, plain
from hoursmith_console.workspaces.models import Member
from mcpbridge.redaction.masking import redact

logger = logging.getLogger(__name__)

# Of one round, so that a slow mail server does not keep the thread for long.
_AT_MOST = 20
_TRIES_AT_MOST = 4
_FIRST_PAUSE = timedelta(minutes=5)
# Backends that show mail to the operator alone, or nobody.
_NOT_REAL = ("console", "dummy")
_FAULT_LENGTH = 120


def is_mail_configured() -> bool:
    """Whether the operator has configured a mail server."""
    return settings.EMAIL_BACKEND.split(".")[-2] not in _NOT_REAL


def queue_mail(*, kind: MailKind, member: Member, campaign: Any, now: datetime | None = None) -> bool:
    """Note that `member` is to be written to; False where they were on this occasion, or cannot be.

    `campaign` is the `campaigns.Campaign` that asks. A person is reminded once a day at most, whatever number of
    campaigns asks, and not on the day they are asked.
    """
    if not (is_mail_configured() and member.email and member.is_active):
        return False
    now = now or timezone.now()
    if kind == MailKind.ASKED:
        key = f"asked:{campaign.pk}:{member.pk}"
    else:
        key = f"reminder:{now:%Y-%m-%d}:{member.pk}"
        if RotationMail.objects.filter(member=member, kind=MailKind.ASKED, queued_at__date=now.date()).exists():
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
    """Send what is due, each message by one process alone; how many were sent. Call it outside of transactions."""
    due = RotationMail.objects.filter(sent_at=None, next_attempt_at__lte=now).select_related(
        "member", "workspace", "campaign"
    )
    sent = 0
    for mail in due.order_by("next_attempt_at", "pk")[:_AT_MOST]:
        if reserve_mail(mail):
            sent += _send(mail, now)
    return sent


def reserve_mail(mail: RotationMail) -> bool:
    """Whether the message is ours to send: whoever empties the time of its next try has it."""
    return bool(
        RotationMail.objects.filter(pk=mail.pk, next_attempt_at=mail.next_attempt_at).update(next_attempt_at=None)
    )


def _send(mail: RotationMail, now: datetime) -> bool:
    rotations = _asked_of(mail)
    if not rotations:
        RotationMail.objects.filter(pk=mail.pk).update(fault="Nothing was left to ask for.")
        return False
    subject, text = build_mail_text(mail, rotations, now)
    try:
        connection = get_connection(timeout=10) if "smtp" in settings.EMAIL_BACKEND else get_connection()
        build_message(subject=subject, text=text, to=mail.member.email, connection=connection).send()
    except Exception as error:
        # Whatever a mail server or its library does, the page must be able to say that it failed.
        _failed(mail, now, error)
        return False
    RotationMail.objects.filter(pk=mail.pk).update(sent_at=now, attempts=mail.attempts + 1, fault="")
    Rotation.objects.filter(pk__in=[rotation.pk for rotation in rotations]).update(reminded_at=now)
    return True


def _failed(mail: RotationMail, now: datetime, error: Exception) -> None:
    attempts = mail.attempts + 1
    next_attempt_at = now + _FIRST_PAUSE * 3 ** (attempts - 1) if attempts < _TRIES_AT_MOST else None
    fault = redact(f"{type(error).__name__}: {error}")[:_FAULT_LENGTH]
    RotationMail.objects.filter(pk=mail.pk).update(attempts=attempts, next_attempt_at=next_attempt_at, fault=fault)
    logger.warning("An e-mail about a rotation could not be sent (try %d): %s", attempts, type(error).__name__)


def _asked_of(mail: RotationMail) -> list[Rotation]:
    """What the person still has to rotate: of the campaign that asks, or of all when they are reminded."""
    waiting = Rotation.objects.filter(owner=mail.member, ended_at=None).exclude(kind=RotationKind.OFFBOARDING)
    if mail.kind == MailKind.ASKED:
        waiting = waiting.filter(campaign=mail.campaign)
    return list(waiting.order_by("due_on", "pk"))


def build_mail_text(mail: RotationMail, rotations: Sequence[Rotation], now: datetime) -> tuple[str, str]:
    """Subject and text: whose token, by when, and where to go without a link."""
    many = "tokens" if len(rotations) > 1 else "token"
    first = "Reminder: please rotate" if mail.kind == MailKind.REMINDER else "Please rotate"
    lines = [f"Hello {plain(mail.member.name)},", ""]
    asker = plain(mail.campaign.requester) if mail.campaign else "The workspace"
    lines += [f"{asker} asks you to rotate your Hoursmith {many} of the workspace {plain(mail.workspace.name)}:", ""]
    for rotation in rotations:
        by = f" by {rotation.due_on:%-d %B %Y}" if rotation.due_on else ""
        late = " (overdue)" if rotation.due_on and rotation.due_on < now.date() else ""
        lines.append(f"  {rotation.masked_token}{by}{late}")
    if mail.campaign and mail.campaign.reason:
        lines += ["", f"Why: {plain(mail.campaign.reason)}"]
    lines += [
        "",
        "Open the Hoursmith console the way you always do, sign in, and choose Rotations: it leads you through it.",
        "This message carries no link on purpose. Nobody will ever ask you for a token by e-mail.",
        "",
    ]
    return f"{first} your Hoursmith {many}", "\n".join(lines)
