"""Send a message to a channel: by email, or to a webhook over the checked connection of log destinations."""

import smtplib
from collections.abc import Sequence
from datetime import datetime

import orjson
from django.conf import settings
from django.core.mail import get_connection

from hoursmith_console.alerts.messages.chat import payload
from hoursmith_console.alerts.messages.content import Message
from hoursmith_console.alerts.messages.mail import mail_subject, mail_text
from hoursmith_console.alerts.models import AlertChannel, ChannelKind
from hoursmith_console.workspaces.mail import build_message, sends_mail
from hoursmith_console.workspaces.models import Member
from mcpbridge.audit.destinations.errors import UndeliveredError
from mcpbridge.audit.destinations.secret_box import decrypt, encrypt
from mcpbridge.audit.destinations.targets import secret_webhook_target
from mcpbridge.audit.destinations.transports.webhook import post


def seal_address(address: str, *, org_id: str) -> tuple[str, str]:
    """Return the address of a webhook encrypted, and its host, which pages show. Raises RefusedTargetError."""
    target = secret_webhook_target(address)
    return encrypt(address, org_id=org_id), target.host


def send(channel: AlertChannel, message: Message, *, now: datetime, limit_s: float) -> None:
    """Return once the channel has accepted the message, within `limit_s` seconds.

    Raises DestinationError with a text for users.
    """
    if channel.kind == ChannelKind.EMAIL:
        _mail(channel, message, limit_s)
    else:
        _post(channel, message, now, limit_s)


def _post(channel: AlertChannel, message: Message, now: datetime, limit_s: float) -> None:
    try:
        address = decrypt(channel.encrypted_address, org_id=message.org_id)
    except UndeliveredError:
        text = "The address cannot be decrypted because SECRET_KEY changed. Enter the address of the channel again."
        raise UndeliveredError(text) from None
    # The same for each attempt, so that a receiver recognizes a repetition.
    headers = {"Content-Type": "application/json", "Idempotency-Key": message.id}
    body = orjson.dumps(payload(channel.kind, message))
    post(secret_webhook_target(address), body, headers, now=now, limit_s=limit_s)


def _mail(channel: AlertChannel, message: Message, limit_s: float) -> None:
    if not can_mail():
        raise UndeliveredError("No mail server is configured (EMAIL_URL), so no email can be sent.")
    recipients = recipients_with_access(channel)
    if not recipients:
        raise UndeliveredError("None of the recipients has access to the console any more.")
    subject, text = mail_subject(message), mail_text(message)
    connection = get_connection(timeout=limit_s) if "smtp" in settings.EMAIL_BACKEND else None
    mail = build_message(subject=subject, text=text, to=recipients[0], connection=connection)
    # In one go: after a failure between two messages, the first would be sent again.
    mail.to = list(recipients)
    try:
        mail.send()
    except smtplib.SMTPResponseException as error:
        raise UndeliveredError(f"The mail server refused the message with code {error.smtp_code}.") from None
    except smtplib.SMTPRecipientsRefused:
        raise UndeliveredError("The mail server refused a recipient. Check the addresses of the channel.") from None
    except TimeoutError:
        raise UndeliveredError("The mail server did not answer in time.") from None
    except (OSError, ValueError) as error:
        raise UndeliveredError(f"The mail server cannot be used ({type(error).__name__}).") from None


def can_mail() -> bool:
    """Return whether email leaves this machine, or is kept where tests and operators read it."""
    return sends_mail() or settings.EMAIL_BACKEND.split(".")[-2] in ("locmem", "filebased")


def recipients_with_access(channel: AlertChannel) -> Sequence[str]:
    """Return the recipients without those whom the workspace lists and who lost access to the console."""
    members = Member.objects.filter(workspace_id=channel.workspace_id, email__in=channel.recipients)
    allowed = set(members.with_access().values_list("email", flat=True))
    former = set(members.values_list("email", flat=True)) - allowed
    return [each for each in channel.recipients if each not in former]
