"""The contents of one transaction of the activity recorder: ended calls, rejections, losses and greetings."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mcpbridge.activity.connections import Greeting
from mcpbridge.activity.observed import EndedCall, KnownToken, workspace_of
from mcpbridge.activity.rejections import Rejection
from mcpbridge.core.sanitize import sanitize_text, sanitized_columns
from mcpbridge.db.bulk import insert
from mcpbridge.models import ActivityLoss, TokenRef


@dataclass(slots=True)
class Loss:
    """Calls of one workspace that were dropped."""

    since: datetime
    until: datetime
    calls: int = 0


@dataclass(slots=True)
class Batch:
    """The contents of one transaction. `is_doubtful`: an earlier commit of it may have succeeded."""

    ended: list[EndedCall] = field(default_factory=list)
    rejected: Counter[Rejection] = field(default_factory=Counter)
    losses: dict[str, Loss] = field(default_factory=dict)
    greetings: list[Greeting] = field(default_factory=list)
    is_doubtful: bool = False
    # Calls whose workspace is unknown, counted while the batch is recorded.
    unattributed: int = 0

    def parts(self) -> list["Batch"]:
        """Split it into smaller batches; a single call, or all records of another kind, stay one batch."""
        middle = len(self.ended) // 2
        parts = [
            Batch(ended=self.ended[:middle]),
            Batch(ended=self.ended[middle:]),
            Batch(rejected=self.rejected),
            Batch(losses=self.losses),
            Batch(greetings=self.greetings),
        ]
        return [part for part in parts if part.ended or part.rejected or part.losses or part.greetings]


def tool_call_columns(each: EndedCall, tokens: Mapping[TokenRef, KnownToken]) -> dict[str, Any]:
    """Return the columns of the activity row for `each`; `tokens` are the tokens that Hoursmith has accepted."""
    call, call_result, _ = each
    columns = sanitized_columns(call)
    columns["org_id"] = workspace_of(each, tokens)
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
