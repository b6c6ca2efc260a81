"""Gathers the overview: what needs attention first, then what happened lately."""

from typing import Any

from django.conf import settings

from hoursmith_console.audit.rows import audit_rows
from hoursmith_console.audit.verification.jobs import verification_standing
from hoursmith_console.connections.catalogue import CLIENTS
from hoursmith_console.core.alerts import alerts_for
from hoursmith_console.overview import queries
from hoursmith_console.overview.signals import signals
from hoursmith_console.tokens.activity_rows import activity_rows
from hoursmith_console.tokens.chart import draw
from hoursmith_console.workspaces.viewer import Viewer

PERIODS = {1: "24 hours", 7: "7 days", 30: "30 days"}
_USUAL = 7


def overview_context(viewer: Viewer, asked_days: str = "") -> dict[str, Any]:
    """Everything that `overview/page.html` shows, all of it within the viewer's sight.

    `asked_days` is how far back the address asks to look; anything but a period on offer is the usual one.
    """
    days = int(asked_days) if asked_days in map(str, PERIODS) else _USUAL
    freshness = queries.tokens_by_freshness(viewer)
    if not freshness:
        return {"is_empty": True, **connect_context()}
    standing = verification_standing(org_id=viewer.org_id) if viewer.member.sees_workspace else None
    return {
        "is_empty": False,
        "standing": standing,
        "attention": alerts_for(viewer),
        "signals": signals(viewer),
        "period": PERIODS[days],
        "periods": [{"days": key, "label": label, "is_chosen": key == days} for key, label in PERIODS.items()],
        "chart": draw(queries.calls_over_time(viewer, days), "hour" if days == 1 else "day"),
        "destroyed": audit_rows(viewer, queries.latest_destructive(viewer)),
        "freshness_spans": queries.FRESHNESS,
        "freshness": freshness,
        "token_count": sum(sum(counts) for _, counts in freshness),
        "assistants": queries.assistants_in_use(viewer, days),
        "calls": activity_rows(viewer, queries.latest_calls(viewer)),
    }


def connect_context() -> dict[str, Any]:
    """How to connect the first assistant to this console."""
    address = f"{settings.PUBLIC_URL}/mcp"
    return {
        "mcp_url": address,
        "connect_command": CLIENTS["claude-code"].command_line(url=address),
        "tokens_url": settings.HOURSMITH_TOKENS_URL,
    }
