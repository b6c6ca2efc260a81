"""Build the overview: what needs attention first, then recent events."""

from typing import Any

from django.urls import reverse

from hoursmith_console.audit.numbers import deletions_address
from hoursmith_console.audit.verification.jobs import verification_status
from hoursmith_console.core.attention import attention_for
from hoursmith_console.overview import queries
from hoursmith_console.overview.signals import signals
from hoursmith_console.tokens.activity_rows import activity_rows
from hoursmith_console.tokens.chart import draw
from hoursmith_console.tokens.numbers import ATTEMPTED
from hoursmith_console.workspaces.viewer import ConsoleRequest

PERIODS = {1: "24 hours", 7: "7 days", 30: "30 days"}
_DEFAULT_PERIOD = 7
# Of what needs attention and of unusual activity; the rest is folded.
SHOWN_AT_ONCE = 3


def overview_context(request: ConsoleRequest) -> dict[str, Any]:
    """Return the context of `overview/page.html`, narrowed to what the viewer may see.

    `days` in the address that is no key of PERIODS means seven days.
    """
    viewer, requested_days = request.viewer, request.GET.get("days", "")
    days = int(requested_days) if requested_days in map(str, PERIODS) else _DEFAULT_PERIOD
    in_use = queries.tokens_in_use(viewer)
    if not in_use:
        return {"is_empty": True}
    verification = verification_status(org_id=viewer.org_id) if viewer.member.sees_workspace else None
    attention, unusual = attention_for(request), signals(viewer)
    return {
        "is_empty": False,
        "verification": verification,
        "attention": attention[:SHOWN_AT_ONCE],
        "more_attention": attention[SHOWN_AT_ONCE:],
        "attention_count": len(attention),
        "signals": unusual[:SHOWN_AT_ONCE],
        "more_signals": unusual[SHOWN_AT_ONCE:],
        "signals_count": len(unusual),
        "period": PERIODS[days],
        "periods": [{"days": key, "label": label, "is_chosen": key == days} for key, label in PERIODS.items()],
        "chart": draw(queries.calls_over_time(viewer, days), "hour" if days == 1 else "day"),
        "deletions": queries.recent_deletions(viewer),
        "deletions_address": deletions_address(),
        "deleting_tokens_address": reverse("console:tokens:list", query={"deleted": "day"}),
        "attempted_address": ATTEMPTED.address(range="24h"),
        "freshness": queries.FRESHNESS,
        "tokens_in_use": in_use,
        "token_count": sum(cells[-1][0] for _, cells in in_use),
        "assistants": queries.assistants_in_use(viewer, days),
        "calls": activity_rows(viewer, queries.latest_calls(viewer)),
    }
