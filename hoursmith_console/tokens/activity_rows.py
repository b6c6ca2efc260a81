"""Rows of the activity list."""

from collections.abc import Iterable
from dataclasses import dataclass

from hoursmith_console.tokens.labels import TokenLabel, ref_of, token_labels
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ToolCall


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
