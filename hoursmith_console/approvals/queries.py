"""Queries of approval requests, narrowed to what a viewer may see."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from hoursmith_console.core.lists.counting import BoundedCount, bounded_count
from hoursmith_console.tokens.labels import TokenLabel, ref_of, token_labels
from hoursmith_console.tokens.querysets import visible_rows
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ApprovalRequest, Decision
from mcpbridge.tools import TOOLS

# Larger numbers are not counted.
MOST_COUNTED = 99
CAUSES = {
    "tool": "Approval is required for this tool.",
    "token": "Approval is required for this token.",
    "rate": "The token has reached the hourly limit of deletions without approval.",
}


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request as shown in lists and on its page."""

    request: ApprovalRequest
    card: TokenLabel
    state: str
    label: str

    @property
    def is_waiting(self) -> bool:
        """Whether the request is pending."""
        return self.state == "under_way"

    @property
    def title(self) -> str:
        """The title of the tool, such as "Delete client"."""
        tool = TOOLS.get(self.request.tool)
        return tool.title if tool else self.request.tool

    @property
    def why(self) -> str:
        """Why approval is required."""
        return CAUSES.get(self.request.cause, "")

    @property
    def left(self) -> str:
        """The time until it expires, in words."""
        seconds = (self.request.expires_at - timezone.now()).total_seconds()
        if seconds < 60:
            return f"{max(1, round(seconds))} s"
        return f"{round(seconds / 60)} min" if seconds < 5400 else f"{round(seconds / 3600)} h"


def visible_requests(viewer: Viewer) -> QuerySet[ApprovalRequest]:
    """Return the workspace's requests for reviewers, else those of the member's own tokens."""
    return visible_rows(viewer, ApprovalRequest.objects.all())


def waiting(viewer: Viewer) -> QuerySet[ApprovalRequest]:
    """Return the pending requests."""
    return visible_requests(viewer).filter(closed_at=None, decision="", expires_at__gt=timezone.now())


def waiting_count(viewer: Viewer) -> BoundedCount:
    """Return how many requests are pending."""
    return bounded_count(waiting(viewer), MOST_COUNTED)


def decided(viewer: Viewer, *, before: int | None) -> QuerySet[ApprovalRequest]:
    """Return the other requests, newest first; `before` is the key of the last one on the previous page."""
    rows = visible_requests(viewer).exclude(closed_at=None, decision="", expires_at__gt=timezone.now())
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return rows.order_by("-pk").defer("snapshot", "arguments")


def request_rows(viewer: Viewer, requests: Iterable[ApprovalRequest]) -> list[RequestRow]:
    """Join requests with their tokens and states."""
    found, now = list(requests), timezone.now()
    cards = token_labels(viewer, found) if found else {}
    return [RequestRow(each, cards[ref_of(each)], *_state(each, now)) for each in found]


def _state(request: ApprovalRequest, now: datetime) -> tuple[str, str]:
    """Return the state of a request: the mark's key and a label."""
    is_over = request.expires_at <= now
    match request.decision:
        case Decision.APPROVED if request.used_at:
            return "succeeded", "Approved and used"
        case Decision.APPROVED if request.closed_at or is_over:
            return "unknown", "Approved, not used"
        case Decision.APPROVED:
            return "succeeded", "Approved"
        case Decision.REFUSED:
            return "refused", "Denied"
        case Decision.EXPIRED:
            return "refused", "Expired"
    return ("refused", "Expired") if is_over else ("under_way", "Waiting")
