"""Whether mail leaves this console, and the one letter that it writes."""

from django.conf import settings
from django.core.mail import send_mail

from hoursmith_console.workspaces.models import Member

_LOCAL = ("console", "dummy", "locmem", "filebased")


def mail_leaves() -> bool:
    """Whether the configured backend sends mail to people; the others only keep it on this machine."""
    return settings.EMAIL_BACKEND.split(".")[-2] not in _LOCAL


def invitation_send(*, member: Member, link: str, inviter: str) -> None:
    """Mail `link` to `member`; raises OSError where the mail server does not take it."""
    send_mail(
        f"Your way into the Hoursmith console of {member.workspace.name}",
        f"{inviter} lets you into the console of {member.workspace.name}, which shows what AI assistants did there.\n\n"
        f"Choose a password, once, within three days:\n{link}\n\n"
        "If you did not expect this, do nothing.\n",
        None,
        [member.email],
    )
