"""What goes on by itself about asking: notices to assistants, reminders and e-mails to people."""

from django.utils import timezone

from hoursmith_console.campaigns.services import reminders_queue
from hoursmith_console.rotations.notices.assistants import notices_refresh
from hoursmith_console.rotations.notices.mails import mail_is_possible, mails_send
from hoursmith_console.workspaces.models import Workspace


def all_notices_refresh() -> int:
    """Let the assistants of every workspace be told what they have to be told now; how many notices changed."""
    now = timezone.now()
    return sum(notices_refresh(workspace=workspace, now=now) for workspace in Workspace.objects.all())


def all_reminders_queue() -> int:
    """Let those be reminded for whom today is a day of reminding; how many will be."""
    return reminders_queue(now=timezone.now())


def all_mails_send() -> int:
    """Send the e-mails that are due; how many were sent."""
    return mails_send(now=timezone.now()) if mail_is_possible() else 0
