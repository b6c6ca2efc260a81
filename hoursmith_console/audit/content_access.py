"""Authorize and record access to what was sent and what was deleted."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.models import AuditEvent, AuditPhase

logger = logging.getLogger(__name__)

ACTION = "console.record_open"
# One entry an hour for each member and call, so that repeated views do not fill the audit log.
RECORDED_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ContentAccess:
    """Whether a page shows arguments and the snapshot; if not, `why_not` is the reason."""

    are_shown: bool
    why_not: str = ""


NOT_FOR_YOU = ContentAccess(False, "Visible to Owners, Admins and Auditors only.")
NOT_NOW = ContentAccess(False, "Temporarily unavailable: access must be logged, and the audit log can’t be written.")


def authorize_content_view(viewer: Viewer, *, call_id: UUID, label: str, has_any: bool) -> ContentAccess:
    """Decide whether `viewer` may see the contents of one call, and record that they do.

    Contents whose view cannot be recorded are withheld; the rest of the page is shown.
    """
    if not viewer.member.sees_workspace:
        return NOT_FOR_YOU
    if not has_any:
        return ContentAccess(True)
    try:
        if not _was_viewed(viewer, call_id):
            record_event(
                org_id=viewer.org_id,
                org_name=viewer.member.workspace.name,
                action=ACTION,
                actor=viewer.member.display_identity,
                target_type="call",
                target_id=str(call_id),
                target_label=label,
            )
    except AuditUnavailableError as error:
        logger.warning("The contents of a call are withheld: %s", error)
        return NOT_NOW
    return ContentAccess(True)


def _was_viewed(viewer: Viewer, call_id: UUID) -> bool:
    return AuditEvent.objects.filter(
        org_id=viewer.org_id,
        target_type="call",
        target_id=str(call_id),
        phase=AuditPhase.EVENT,
        tool=ACTION,
        actor=viewer.member.display_identity,
        recorded_at__gt=timezone.now() - RECORDED_EVERY,
    ).exists()
