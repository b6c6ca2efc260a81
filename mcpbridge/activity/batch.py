"""The contents of one transaction of the activity recorder: ended calls, rejections, losses and greetings."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from mcpbridge.activity.connections import Greeting, upsert_connections
from mcpbridge.activity.observed import (
    EndedCall,
    KnownToken,
    known_tokens,
    upsert_clients,
    upsert_tokens,
    workspace_of,
)
from mcpbridge.activity.order import mark_insert_begin
from mcpbridge.activity.rejections import Rejection, attempts_of, upsert_rejections
from mcpbridge.activity.spill import Spill
from mcpbridge.activity.usage import add_to_usage_counters
from mcpbridge.core.sanitize import sanitize_text, sanitized_columns
from mcpbridge.db.bulk import insert
from mcpbridge.models import ActivityLoss, TokenRef, ToolCall


@dataclass(slots=True)
class Loss:
    """Calls of one workspace that were dropped."""

    since: datetime
    until: datetime
    calls: int = 0


@dataclass(slots=True)
class Batch:
    """The contents of one transaction. `is_doubtful`: an earlier commit of it may have succeeded.

    `spill` is the file of calls that were kept on disk, `spilled_bytes` what they take there.
    """

    ended: list[EndedCall] = field(default_factory=list)
    rejected: Counter[Rejection] = field(default_factory=Counter)
    losses: dict[str, Loss] = field(default_factory=dict)
    greetings: list[Greeting] = field(default_factory=list)
    is_doubtful: bool = False
    # Whether its calls are waiting by the count of this process; those on disk are settled when they get there.
    is_counted: bool = True
    spill: Spill | None = None
    spilled_bytes: int = 0
    # Calls whose workspace is unknown, counted while the batch is recorded.
    unattributed: int = 0

    def parts(self) -> list["Batch"]:
        """Split it into smaller batches; a single call, or all records of another kind, stay one batch."""
        middle = len(self.ended) // 2
        parts = [
            Batch(ended=self.ended[:middle], is_counted=self.is_counted),
            Batch(ended=self.ended[middle:], is_counted=self.is_counted),
            Batch(rejected=self.rejected),
            Batch(losses=self.losses),
            Batch(greetings=self.greetings),
        ]
        return [part for part in parts if part.ended or part.rejected or part.losses or part.greetings]


def tool_call_columns(each: EndedCall, tokens: Mapping[TokenRef, KnownToken]) -> dict[str, Any]:
    """Return the columns of the activity row for `each`; `tokens` are the tokens that Hoursmith has accepted."""
    call, call_result, _ = each
    columns = sanitized_columns(call)
    columns["org_id"] = columns["org_id"] or workspace_of(each, tokens)
    columns["result"] = call_result.result.value
    columns["status"] = call_result.status
    columns["code"] = sanitize_text(call_result.code, 40)
    columns["duration_ms"] = call_result.duration_ms
    return columns


def insert_losses(alias: str, losses: Sequence[tuple[str, Loss]]) -> None:
    """Insert the calls that got no row, by workspace."""
    insert(
        alias,
        ActivityLoss,
        [
            {"org_id": sanitize_text(org_id, 64), "since": loss.since, "until": loss.until, "calls": loss.calls}
            for org_id, loss in losses
        ],
    )


def write_batch(alias: str, batch: Batch) -> None:
    """Write `batch`: its rows, and what they add to tokens, clients, connections and counters. Needs a transaction."""
    upsert_tokens(alias, batch.ended)
    tokens = known_tokens(alias, (call.caller.token_ref for call, _, _ in batch.ended))
    upsert_clients(alias, batch.ended, tokens)
    rows = [row for row in (tool_call_columns(each, tokens) for each in batch.ended) if row["org_id"]]
    batch.unattributed = len(batch.ended) - len(rows)
    mark_insert_begin(alias)
    insert(alias, ToolCall, rows)
    attempts = attempts_of(alias, batch.rejected)
    if attempts:
        upsert_rejections(alias, attempts, at=timezone.now())
    upsert_connections(alias, batch.ended, batch.greetings, attempts, at=timezone.now())
    insert_losses(alias, sorted(batch.losses.items()))
    add_to_usage_counters(alias, rows, tokens)
