"""Builds every e-mail of the console, and says whether mail is sent at all."""

import re

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from hoursmith_console.core.texts import one_line
from hoursmith_console.workspaces.models import Member
from mcpbridge.redaction.masking import redact

_LOCAL = ("console", "dummy", "locmem", "filebased")
_SUBJECT_LENGTH = 200
# What a mail program could take for an address: signs between two letters of what people typed.
_LINKABLE = re.compile(r"(?<=\S)[.:/@\\]+(?=\S)|[\r\n\t]+")


class MailNotSentError(Exception):
    """The mail server did not take a message, or its address is not one that mail can be sent to."""


def sends_mail() -> bool:
    """Return whether the configured backend sends mail to people; the others only keep it on this machine."""
    return settings.EMAIL_BACKEND.split(".")[-2] not in _LOCAL


def unlinked_text(text: str) -> str:
    """Return `text` on one line, without token secrets and without anything that a mail program makes a link of."""
    return " ".join(_LINKABLE.sub(" ", redact(text)).split())


def build_message(*, subject: str, text: str, to: str, connection: BaseEmailBackend | None = None) -> EmailMessage:
    """Return an e-mail to `to`; names in its subject cannot begin another header."""
    return EmailMessage(one_line(subject, _SUBJECT_LENGTH), text, to=[one_line(to, 320)], connection=connection)


def send_invitation(*, member: Member, link: str, inviter: str) -> None:
    """Mail the invitation `link` to `member`. Raises MailNotSentError."""
    workspace = unlinked_text(member.workspace.name)
    message = build_message(
        subject=f"Invitation to the Hoursmith console of {workspace}",
        text=(
            f"{unlinked_text(inviter)} invites you to the Hoursmith console of {workspace}. "
            "It shows what AI assistants did there with Hoursmith tokens.\n\n"
            f"Open this link within three days. It works once, and only for you:\n{link}\n\n"
            "If you did not expect this invitation, ignore this message.\n"
        ),
        to=member.email,
    )
    try:
        message.send()
    except (OSError, ValueError) as error:
        raise MailNotSentError(type(error).__name__) from error
