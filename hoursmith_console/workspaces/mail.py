"""Build the console's emails, and check whether a mail server is configured."""

import re

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from hoursmith_console.core.texts import one_line
from hoursmith_console.workspaces.models import Member
from mcpbridge.redaction.masking import redact

_LOCAL = ("console", "dummy", "locmem", "filebased")
_SUBJECT_LENGTH = 200
# Characters inside words that make a mail program turn user input into a link.
_LINKABLE = re.compile(r"(?<=\S)[.:/@\\]+(?=\S)|[\r\n\t]+")


class MailNotSentError(Exception):
    """The mail server did not accept a message, or the address is invalid."""


def sends_mail() -> bool:
    """Return whether the configured backend sends email; other backends only keep it on this machine."""
    return settings.EMAIL_BACKEND.split(".")[-2] not in _LOCAL


def unlinked_text(text: str) -> str:
    """Return `text` on one line, with tokens masked and without anything that a mail program would link."""
    return " ".join(_LINKABLE.sub(" ", redact(text)).split())


def build_message(*, subject: str, text: str, to: str, connection: BaseEmailBackend | None = None) -> EmailMessage:
    """Return an email to `to`; line breaks in its subject cannot start another header."""
    return EmailMessage(one_line(subject, _SUBJECT_LENGTH), text, to=[one_line(to, 320)], connection=connection)


def send_invitation(*, member: Member, link: str, inviter: str) -> None:
    """Send the invitation `link` to `member`. Raises MailNotSentError."""
    workspace = unlinked_text(member.workspace.name)
    message = build_message(
        subject=f"Invitation to the Hoursmith console of {workspace}",
        text=(
            f"{unlinked_text(inviter)} invited you to the Hoursmith console of {workspace}. "
            "The console shows what AI assistants do with Hoursmith tokens.\n\n"
            f"Accept the invitation within three days. The link works once, so don't share it:\n{link}\n\n"
            "If you did not expect this invitation, ignore this message.\n"
        ),
        to=member.email,
    )
    try:
        message.send()
    except (OSError, ValueError) as error:
        raise MailNotSentError(type(error).__name__) from error
