"""The requests in a viewer's sight, and how a page names them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from hoursmith_console.tokens.labels import TokenLabel, key_of, token_labels
from hoursmith_console.tokens.querysets import visible_rows
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ApprovalRequest, Decision
from mcpbridge.tools import TOOLS

CAUSES = {
    "tool": "the workspace wants a person asked about this tool",
    "token": "the workspace wants a person asked about this token",
    "rate": "the token has destroyed as much in an hour as the workspace allows without asking",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A request as lists and its page show it."""

    request: ApprovalRequest
    card: TokenLabel
    state: str
    label: str

    @property
    def is_waiting(self) -> bool:
        """Whether somebody can still decide about it."""
        return self.state == "under_way"

    @property
    def title(self) -> str:
        """What the assistant wants to do: "Delete client"."""
        tool = TOOLS.get(self.request.tool)
        return tool.title if tool else self.request.tool

    @property
    def why(self) -> str:
        """Why a person is asked."""
        return CAUSES.get(self.request.cause, "")

    @property
    def left(self) -> str:
        """How long it still stands, in words."""
        seconds = (self.request.expires_at - timezone.now()).total_seconds()
        if seconds < 60:
            return f"{max(1, round(seconds))} s"
        return f"{round(seconds / 60)} min" if seconds < 5400 else f"{round(seconds / 3600)} h"


def requests_in_sight(viewer: Viewer) -> QuerySet[ApprovalRequest]:
    """All of the workspace's for who reviews it, those of one's own tokens for the others."""
    return visible_rows(viewer, ApprovalRequest.objects.all())


def waiting(viewer: Viewer) -> QuerySet[ApprovalRequest]:
    """Those about which somebody can still decide."""
    return requests_in_sight(viewer).filter(closed_at=None, decision="", expires_at__gt=timezone.now())


def decided(viewer: Viewer, *, before: int | None) -> QuerySet[ApprovalRequest]:
    """The others, the newest first; `before` is the key of the last one on the page before."""
    rows = requests_in_sight(viewer).exclude(closed_at=None, decision="", expires_at__gt=timezone.now())
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return rows.order_by("-pk").defer("snapshot", "arguments")


def named(viewer: Viewer, requests: Iterable[ApprovalRequest]) -> list[Row]:
    """The requests with their tokens' cards and states."""
    found, now = list(requests), timezone.now()
    cards = token_labels(viewer, found) if found else {}
    return [Row(each, cards[key_of(each)], *_standing(each, now)) for each in found]


def _standing(request: ApprovalRequest, now: datetime) -> tuple[str, str]:
    """The mark and the word for how a request stands."""
    is_over = request.expires_at <= now
    match request.decision:
        case Decision.APPROVED if request.used_at:
            return "succeeded", "Approved, and made"
        case Decision.APPROVED if request.closed_at or is_over:
            return "unknown", "Approved, but never made"
        case Decision.APPROVED:
            return "succeeded", "Approved"
        case Decision.REFUSED:
            return "refused", "Not approved"
        case Decision.EXPIRED:
            return "refused", "Nobody answered"
    return ("refused", "Nobody answered") if is_over else ("under_way", "Waiting")
