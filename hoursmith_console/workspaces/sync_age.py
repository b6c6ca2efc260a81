"""Tell when a workspace's members were last compared with Hoursmith's list, and whether that is overdue.

A member who left Hoursmith has no working token any more, but keeps their pages here until the next comparison. The
console stores no token, so an operator provides one for each run of `members_sync`.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from hoursmith_console.workspaces.models import Workspace


def is_sync_overdue(workspace: Workspace) -> bool:
    """Return whether the last comparison is older than MEMBERS_SYNC_DAYS; never in the sandbox."""
    return not settings.SANDBOX_MODE and _compared_at(workspace) < _due()


def count_overdue_syncs(using: str) -> int:
    """Return the number of workspaces of the database `using` whose last comparison is overdue."""
    if settings.SANDBOX_MODE:
        return 0
    return sum(_compared_at(workspace) < _due() for workspace in Workspace.objects.using(using).all())


def _compared_at(workspace: Workspace) -> datetime:
    return workspace.members_synced_at or workspace.created_at


def _due() -> datetime:
    return timezone.now() - timedelta(days=settings.MEMBERS_SYNC_DAYS)
