"""Who is shown what was sent and what was destroyed, and the record of who looked."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.models import AuditEvent, Phase

logger = logging.getLogger(__name__)

ACTION = "console.record_open"
# One row an hour for each person and call: who looks again and again does not fill the record.
ONCE_IN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Contents:
    """Whether a page shows arguments and the snapshot; where it does not, `why_not` says so."""

    are_shown: bool
    why_not: str = ""


NOT_FOR_YOU = Contents(False, "Shown to Owner, Admin and Auditor only.")
NOT_NOW = Contents(False, "Not shown now: opening it is recorded, and the record cannot be written at this moment.")


def contents_open(viewer: Viewer, *, call_id: UUID, label: str, has_any: bool) -> Contents:
    """Decide about the contents of one call for `viewer`, and record that they are opened.

    What cannot be recorded is not shown; the rest of the page is.
    """
    if not viewer.member.sees_workspace:
        return NOT_FOR_YOU
    if not has_any:
        return Contents(True)
    try:
        if not _was_opened(viewer, call_id):
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
        logger.warning("What a call sent is not shown: %s", error)
        return NOT_NOW
    return Contents(True)


def _was_opened(viewer: Viewer, call_id: UUID) -> bool:
    return AuditEvent.objects.filter(
        org_id=viewer.org_id,
        target_type="call",
        target_id=str(call_id),
        phase=Phase.EVENT,
        tool=ACTION,
        actor=viewer.member.display_identity,
        recorded_at__gt=timezone.now() - ONCE_IN,
    ).exists()
