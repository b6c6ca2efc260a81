"""Periodic work of all workspaces: notices to assistants, reminders and emails to members."""

from django.utils import timezone

from hoursmith_console.campaigns.services import queue_reminders
from hoursmith_console.rotations.notices.assistants import refresh_notices
from hoursmith_console.rotations.notices.mails import is_mail_configured, send_due_mails
from hoursmith_console.workspaces.models import Workspace


def refresh_all_notices() -> int:
    """Refresh the notices of every workspace and return how many changed."""
    now = timezone.now()
    return sum(refresh_notices(workspace=workspace, now=now) for workspace in Workspace.objects.all())


def queue_all_reminders() -> int:
    """Queue the reminders due today and return how many."""
    return queue_reminders(now=timezone.now())


def send_all_mails() -> int:
    """Send due emails and return how many were sent."""
    return send_due_mails(now=timezone.now()) if is_mail_configured() else 0
