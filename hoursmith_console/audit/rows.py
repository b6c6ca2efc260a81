"""Destructive calls as lists show them."""

from collections.abc import Iterable
from dataclasses import dataclass

from hoursmith_console.audit.calls import DestructiveCall, with_outcomes
from hoursmith_console.tokens.cards import TokenCard, key_of, token_cards
from hoursmith_console.workspaces.visibility import Viewer
from mcpbridge.models import AuditEvent


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One destructive call and the token that made it."""

    call: DestructiveCall
    card: TokenCard


def audit_rows(viewer: Viewer, intents: Iterable[AuditEvent]) -> list[AuditRow]:
    """`intents` with their outcomes and tokens."""
    calls = with_outcomes(intents)
    cards = token_cards(viewer, [call.intent for call in calls])
    return [AuditRow(call, cards[key_of(call.intent)]) for call in calls]
