"""Build the overview: what needs attention first, then recent events."""

from typing import Any

from django.conf import settings

from hoursmith_console.audit.rows import audit_rows
from hoursmith_console.audit.verification.jobs import verification_status
from hoursmith_console.connections.catalogue import MCP_CLIENTS
from hoursmith_console.core.attention import attention_for
from hoursmith_console.overview import queries
from hoursmith_console.overview.signals import signals
from hoursmith_console.tokens.activity_rows import activity_rows
from hoursmith_console.tokens.chart import draw
from hoursmith_console.workspaces.viewer import ConsoleRequest

PERIODS = {1: "24 hours", 7: "7 days", 30: "30 days"}
_DEFAULT_PERIOD = 7


def overview_context(request: ConsoleRequest) -> dict[str, Any]:
    """Return the context of `overview/page.html`, narrowed to what the viewer may see.

    `days` in the address that is no key of PERIODS means seven days.
    """
    viewer, requested_days = request.viewer, request.GET.get("days", "")
    days = int(requested_days) if requested_days in map(str, PERIODS) else _DEFAULT_PERIOD
    freshness = queries.tokens_by_freshness(viewer)
    if not freshness:
        return {"is_empty": True, **connect_context()}
    verification = verification_status(org_id=viewer.org_id) if viewer.member.sees_workspace else None
    return {
        "is_empty": False,
        "verification": verification,
        "attention": attention_for(request),
        "signals": signals(viewer),
        "period": PERIODS[days],
        "periods": [{"days": key, "label": label, "is_chosen": key == days} for key, label in PERIODS.items()],
        "chart": draw(queries.calls_over_time(viewer, days), "hour" if days == 1 else "day"),
        "deletions": audit_rows(viewer, queries.latest_destructive(viewer)),
        "freshness_spans": queries.FRESHNESS,
        "freshness": freshness,
        "token_count": sum(sum(counts) for _, counts in freshness),
        "assistants": queries.assistants_in_use(viewer, days),
        "calls": activity_rows(viewer, queries.latest_calls(viewer)),
    }


def connect_context() -> dict[str, Any]:
    """Return the context of `console/_connect.html`."""
    address = f"{settings.PUBLIC_URL}/mcp"
    return {
        "mcp_url": address,
        "connect_command": MCP_CLIENTS["claude-code"].command_line(url=address),
        "tokens_url": settings.HOURSMITH_TOKENS_URL,
    }
