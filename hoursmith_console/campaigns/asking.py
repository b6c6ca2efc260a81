"""What goes on by itself about asking: notices to assistants, reminders and e-mails to people."""

from django.utils import timezone

from hoursmith_console.campaigns.services import queue_reminders
from hoursmith_console.rotations.notices.assistants import refresh_notices
from hoursmith_console.rotations.notices.mails import is_mail_configured, send_due_mails
from hoursmith_console.workspaces.models import Workspace


def refresh_all_notices() -> int:
    """Let the assistants of every workspace be told what they have to be told now; how many notices changed."""
    now = timezone.now()
    return sum(refresh_notices(workspace=workspace, now=now) for workspace in Workspace.objects.all())


def queue_all_reminders() -> int:
    """Let those be reminded for whom today is a day of reminding; how many will be."""
    return queue_reminders(now=timezone.now())


def send_all_mails() -> int:
    """Send the e-mails that are due; how many were sent."""
    return send_due_mails(now=timezone.now()) if is_mail_configured() else 0
