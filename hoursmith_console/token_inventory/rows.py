"""Rows of the token list."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from hoursmith_console.token_inventory.status import TokenStatus, token_statuses
from hoursmith_console.token_policy.evaluation import age_in_days, due_on
from hoursmith_console.token_policy.flags import Flag, token_flags
from hoursmith_console.token_policy.models import TokenPolicy
from hoursmith_console.token_policy.privilege_hints import privilege_hints
from hoursmith_console.tokens.labels import TokenLabel, ref_of, token_labels
from hoursmith_console.tokens.numbers import Counted, activity_kept_from, token_numbers
from hoursmith_console.tokens.usage import Month, months_of
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ObservedClient, ObservedToken

_SHOWN_ASSISTANTS = 2


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token in the list. `assistants` are names, most recent first; `due_at` is when the policy asks to rotate."""

    token: ObservedToken
    card: TokenLabel
    assistants: list[str]
    address: str
    month: Month
    numbers: dict[str, Counted]
    days: int
    due_at: datetime | None
    state: TokenStatus = field(default_factory=TokenStatus)
    flags: list[Flag] = field(default_factory=list)

    @property
    def shown_assistants(self) -> list[str]:
        """Assistants shown in the list."""
        return self.assistants[:_SHOWN_ASSISTANTS]

    @property
    def more_assistants(self) -> list[str]:
        """Assistants not shown in the list."""
        return self.assistants[_SHOWN_ASSISTANTS:]

    @property
    def month_words(self) -> str:
        """Text alternative of the 30-day chart."""
        return f"Last 30 days: {self.month.total:,} calls, {self.month.total_destructive:,} destructive"

    @property
    def paths(self) -> list[tuple[str, str]]:
        """SVG paths of the 30-day chart."""
        return self.month.paths(max(self.month.calls) or 1)

    @property
    def is_due(self) -> bool:
        """Whether the policy's date has passed."""
        return self.due_at is not None and self.due_at <= timezone.now()


def token_rows(viewer: Viewer, tokens: Sequence[ObservedToken], policy: TokenPolicy) -> list[TokenRow]:
    """Return a row for each of `tokens`, in a constant number of queries."""
    cards, clients = token_labels(viewer, tokens), clients_of(tokens)
    months, states = months_of(viewer.org_id, tokens), token_statuses(viewer, tokens)
    now, kept_from = timezone.now(), activity_kept_from(viewer)
    flags = token_flags(viewer.member.workspace, tokens, hints=privilege_hints(tokens, now=now), now=now)
    return [
        TokenRow(
            token=token,
            card=cards[ref_of(token)],
            assistants=list(dict.fromkeys(client.name for client in clients[token.pk])),
            address=clients[token.pk][0].address if clients[token.pk] else "",
            month=months[ref_of(token)],
            numbers=token_numbers(token, kept_from=kept_from),
            days=age_in_days(token, now=now),
            due_at=None if states[ref_of(token)].is_revoked else due_on(token, policy),
            state=states[ref_of(token)],
            flags=flags[token.pk],
        )
        for token in tokens
    ]


def clients_of(tokens: Sequence[ObservedToken]) -> defaultdict[int, list[ObservedClient]]:
    """Return the assistants of each token by its primary key, most recent first, in one query."""
    found: defaultdict[int, list[ObservedClient]] = defaultdict(list)
    for client in ObservedClient.objects.filter(token__in=tokens).order_by("-last_seen_at", "-pk"):
        found[client.token_id].append(client)
    return found
