"""Writes to people about the tokens that they are asked to rotate. No link, no secret, nothing that can be clicked.

Who is to be written to is noted in the transaction that decides it; a thread sends outside of any transaction. Each
message is taken by one process alone and marked before it is sent, so that none is sent twice. One that was taken by
a process that died is not tried again: it may have been sent.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import get_connection
from django.utils import timezone

from hoursmith_console.campaigns.models import Campaign
from hoursmith_console.rotations.models import Kind, Mail, MailKind, Rotation
from hoursmith_console.workspaces.mail import message_build, plain
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


def mail_is_possible() -> bool:
    """Whether the operator has configured a mail server."""
    return settings.EMAIL_BACKEND.split(".")[-2] not in _NOT_REAL


def mail_queue(*, kind: MailKind, member: Member, campaign: Campaign, now: datetime | None = None) -> bool:
    """Note that `member` is to be written to; False where they were on this occasion, or cannot be.

    A person is reminded once a day at most, whatever number of campaigns asks, and not on the day they are asked.
    """
    if not (mail_is_possible() and member.email and member.is_active):
        return False
    now = now or timezone.now()
    if kind == MailKind.ASKED:
        key = f"asked:{campaign.pk}:{member.pk}"
    else:
        key = f"reminder:{now:%Y-%m-%d}:{member.pk}"
        if Mail.objects.filter(member=member, kind=MailKind.ASKED, queued_at__date=now.date()).exists():
            return False
    _, is_new = Mail.objects.get_or_create(
        key=key,
        defaults={
            "kind": kind,
            "workspace_id": member.workspace_id,
            "member": member,
            "campaign": campaign,
            "queued_at": now,
            "next_try_at": now,
        },
    )
    return is_new


def mails_send(*, now: datetime) -> int:
    """Send what is due, each message by one process alone; how many were sent. Call it outside of transactions."""
    due = Mail.objects.filter(sent_at=None, next_try_at__lte=now).select_related("member", "workspace", "campaign")
    sent = 0
    for mail in due.order_by("next_try_at", "pk")[:_AT_MOST]:
        if mail_take(mail):
            sent += _send(mail, now)
    return sent


def mail_take(mail: Mail) -> bool:
    """Whether the message is ours to send: whoever empties the time of its next try has it."""
    return bool(Mail.objects.filter(pk=mail.pk, next_try_at=mail.next_try_at).update(next_try_at=None))


def _send(mail: Mail, now: datetime) -> bool:
    rotations = _asked_of(mail)
    if not rotations:
        Mail.objects.filter(pk=mail.pk).update(fault="Nothing was left to ask for.")
        return False
    subject, text = mail_text(mail, rotations, now)
    try:
        connection = get_connection(timeout=10) if "smtp" in settings.EMAIL_BACKEND else get_connection()
        message_build(subject=subject, text=text, to=mail.member.email, connection=connection).send()
    except Exception as error:
        # Whatever a mail server or its library does, the page must be able to say that it failed.
        _failed(mail, now, error)
        return False
    Mail.objects.filter(pk=mail.pk).update(sent_at=now, tries=mail.tries + 1, fault="")
    Rotation.objects.filter(pk__in=[rotation.pk for rotation in rotations]).update(reminded_at=now)
    return True


def _failed(mail: Mail, now: datetime, error: Exception) -> None:
    tries = mail.tries + 1
    next_try_at = now + _FIRST_PAUSE * 3 ** (tries - 1) if tries < _TRIES_AT_MOST else None
    fault = redact(f"{type(error).__name__}: {error}")[:_FAULT_LENGTH]
    Mail.objects.filter(pk=mail.pk).update(tries=tries, next_try_at=next_try_at, fault=fault)
    logger.warning("An e-mail about a rotation could not be sent (try %d): %s", tries, type(error).__name__)


def _asked_of(mail: Mail) -> list[Rotation]:
    """What the person still has to rotate: of the campaign that asks, or of all when they are reminded."""
    waiting = Rotation.objects.filter(owner=mail.member, ended_at=None).exclude(kind=Kind.LEAVING)
    if mail.kind == MailKind.ASKED:
        waiting = waiting.filter(campaign=mail.campaign)
    return list(waiting.order_by("due_on", "pk"))


def mail_text(mail: Mail, rotations: Sequence[Rotation], now: datetime) -> tuple[str, str]:
    """Subject and text: whose token, by when, and where to go without a link."""
    many = "tokens" if len(rotations) > 1 else "token"
    first = "Reminder: please rotate" if mail.kind == MailKind.REMINDER else "Please rotate"
    lines = [f"Hello {plain(mail.member.name)},", ""]
    asker = plain(mail.campaign.asker) if mail.campaign else "The workspace"
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
