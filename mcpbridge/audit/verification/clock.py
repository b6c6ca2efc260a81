"""Warn of times that go back: they are the word of the operator's machine (`docs/audit-format.md`, section 11)."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from mcpbridge.audit.verification.records import Checkpoint, Event

MOST_WARNINGS = 10
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_TOLERANCE = timedelta(minutes=1)


@dataclass(slots=True)
class Clock:
    """Watches the times of rows and checkpoints in the order of the log, and keeps the first warnings."""

    warnings: list[dict[str, Any]] = field(default_factory=list)
    _recorded: str = ""
    _signed: str = ""

    def row(self, event: Event) -> None:
        """Compare a row with the rows and checkpoints before it."""
        at = str((event.facts or {}).get("recorded_at"))
        if not _INSTANT.fullmatch(at):
            return
        if _goes_back(self._recorded, at):
            self._warn("event", event.sequence, f"it was recorded at {at}, an earlier row at {self._recorded}")
        elif _goes_back(self._signed, at):
            reason = f"it was recorded at {at}, before the checkpoint that it follows, at {self._signed}"
            self._warn("event", event.sequence, reason)
        self._recorded = max(self._recorded, at)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Compare a checkpoint with the ones before it."""
        at = checkpoint.at
        if not _INSTANT.fullmatch(at):
            return
        if _goes_back(self._signed, at):
            reason = f"it was made at {at}, an earlier checkpoint at {self._signed}"
            self._warn("checkpoint", checkpoint.sequence, reason)
        self._signed = max(self._signed, at)

    def earlier_key(self, sequence: int) -> None:
        """Warn that the last checkpoint, at this row, is signed with a key before the given one."""
        reason = "it is the last one, and signed with a key before the given one: whose holder can make it up"
        self.warnings.insert(0, {"record": "checkpoint", "sequence": sequence, "reason": reason})

    def _warn(self, record: str, sequence: int, reason: str) -> None:
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings.append({"record": record, "sequence": sequence, "reason": reason})


def _goes_back(before: str, now: str) -> bool:
    """Return whether `now` is more than a minute before `before`, which comes first."""
    if now >= before:
        return False
    try:
        return datetime.fromisoformat(before) - datetime.fromisoformat(now) > _TOLERANCE
    except ValueError:
        return False
