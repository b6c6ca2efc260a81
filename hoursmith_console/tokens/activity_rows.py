"""Rows of the activity list."""

from collections.abc import Iterable
from dataclasses import dataclass

from hoursmith_console.tokens.labels import TokenLabel, ref_of, token_labels
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ToolCall

# Hoursmith checks the token before the plan, so a 402 is about the workspace's plan.
_NO_API = 402


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """One call with its token."""

    call: ToolCall
    card: TokenLabel


def activity_rows(viewer: Viewer, calls: Iterable[ToolCall]) -> list[ActivityRow]:
    """Join `calls` with their tokens."""
    found = list(calls)
    cards = token_labels(viewer, found)
    return [ActivityRow(call, cards[ref_of(call)]) for call in found]


def is_refused_for_plan(status: int) -> bool:
    """Return whether a call with this HTTP status was refused because the plan does not include API access."""
    return status == _NO_API
