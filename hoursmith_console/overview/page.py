"""Gathers the overview: what needs attention first, then what happened lately."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from hoursmith_console.activity.rows import activity_rows
from hoursmith_console.audit.rows import audit_rows
from hoursmith_console.audit.verifying import Standing, verification_standing
from hoursmith_console.overview import queries
from hoursmith_console.overview.chart import draw
from hoursmith_console.tokens.cards import TokenCard, key_of, token_cards
from hoursmith_console.workspaces.visibility import Viewer

MOST_SHOWN = 5


def overview_context(viewer: Viewer) -> dict[str, Any]:
    """Everything that `overview/page.html` shows, all of it within the viewer's sight."""
    freshness = queries.tokens_by_freshness(viewer)
    if not freshness:
        return {"is_empty": True, **connect_context()}
    standing = verification_standing(org_id=viewer.org_id) if viewer.member.sees_workspace else None
    return {
        "is_empty": False,
        "standing": standing,
        "attention": _attention(viewer, standing),
        "chart": draw(queries.calls_by_day(viewer)),
        "destroyed": audit_rows(viewer, queries.latest_destructive(viewer)),
        "freshness_spans": queries.FRESHNESS,
        "freshness": freshness,
        "token_count": sum(sum(counts) for _, counts in freshness),
        "assistants": queries.assistants_in_use(viewer),
        "calls": activity_rows(viewer, queries.latest_calls(viewer)),
    }


def connect_context() -> dict[str, Any]:
    """How to connect the first assistant to this console."""
    address = f"{settings.PUBLIC_URL}/mcp"
    return {
        "mcp_url": address,
        "connect_command": (
            f"claude mcp add --transport http hoursmith {address} "
            "--header 'Authorization: Bearer ${HOURSMITH_API_TOKEN}'"
        ),
        "tokens_url": settings.HOURSMITH_TOKENS_URL,
    }


def _attention(viewer: Viewer, standing: Standing | None) -> dict[str, Any]:
    unsettled = queries.unsettled_calls(viewer, MOST_SHOWN + 1)
    cards = token_cards(viewer, [call.intent for call in unsettled])
    lost = queries.lost_activity(viewer)
    refused = queries.refused_tokens(viewer, MOST_SHOWN + 1)
    broken = standing.last if standing is not None and standing.is_broken else None
    return {
        "broken": broken,
        "unsettled": [(call, cards[key_of(call.intent)]) for call in unsettled[:MOST_SHOWN]],
        "has_more_unsettled": len(unsettled) > MOST_SHOWN,
        "lost": lost if lost["calls"] else None,
        "refused": _refused_cards(viewer, refused[:MOST_SHOWN]),
        "has_more_refused": len(refused) > MOST_SHOWN,
        "is_clear": not (broken or unsettled or lost["calls"] or refused),
    }


def _refused_cards(viewer: Viewer, refused: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    tokens = viewer.tokens().filter(prefix__in=[entry["prefix"] for entry in refused])
    known = {key_of(token): token for token in tokens}
    shown = []
    for entry in refused:
        token = known[entry["env"], entry["prefix"]]
        shown.append({**entry, "token": token, "card": TokenCard(token.env, token.prefix, token.pk, None)})
    return shown
