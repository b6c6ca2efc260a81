"""Tell pages where a log continued in a new epoch: which entries are missing, who accepted that, and why."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mcpbridge.audit.tree.restores import BREAK_FORMAT
from mcpbridge.models import AuditEpoch, AuditEvent

# With which entry an operator begins an epoch.
_ACTIONS = ("console.audit_restore", "console.audit_anchor", "console.key_lost")
_MOST = 20


@dataclass(frozen=True, slots=True)
class EpochNote:
    """How an epoch began. Entries up to `kept` stayed; those behind it, up to `given_up`, are missing.

    `entry` is the one that the operator's command wrote; None if it is not known.
    """

    epoch: int
    kept: int
    given_up: int
    at: datetime | None
    reason: str
    is_key_lost: bool
    entry: AuditEvent | None = None

    @property
    def first_missing(self) -> int:
        """The first entry that is missing; behind `given_up` if none is."""
        return self.kept + 1

    @property
    def missing(self) -> int:
        """How many entries are missing."""
        return self.given_up - self.kept

    @property
    def disowned(self) -> int:
        """The entry that the server had signed with other contents than the adopted log has; 0 if there is none."""
        given_up = self.entry.arguments.get("given_up") if self.entry and not self.missing else None
        found = given_up.get("sequence") if isinstance(given_up, dict) else 0
        return found if isinstance(found, int) and not self.is_key_lost else 0


def epoch_notes(org_id: str) -> list[EpochNote]:
    """Return how the epochs of the workspace's log began, the newest first: one query if it has one epoch, else two."""
    stored = list(AuditEpoch.objects.filter(org_id=org_id).order_by("-epoch")[:_MOST])
    if not stored:
        return []
    entries = AuditEvent.objects.filter(org_id=org_id, tool__in=_ACTIONS, epoch__in=[each.epoch for each in stored])
    # The first of its epoch; a later one adopted the log again on another server.
    first = {entry.epoch: entry for entry in entries.order_by("-recorded_at", "-id")}
    return [_note(each, first.get(each.epoch)) for each in stored]


def note_of(statement: Mapping[str, Any]) -> EpochNote:
    """Return what a statement says. Raises KeyError, TypeError and ValueError if it is none."""
    epoch = int(str(statement["to"]).rpartition("/")[2].partition("-")[0])
    kept, given_up = statement["kept"]["sequence"], statement["from"]["sequence"]
    at, is_key_lost = datetime.fromisoformat(statement["at"]), statement["format"] == BREAK_FORMAT
    return EpochNote(epoch, kept, given_up, at, str(statement["reason"]), is_key_lost)


def _note(stored: AuditEpoch, entry: AuditEvent | None) -> EpochNote:
    try:
        said = note_of(json.loads(stored.message))
    except (KeyError, TypeError, ValueError):
        # Changed in the database: the anchor finds that, and the page says what the columns have.
        said = EpochNote(stored.epoch, stored.kept, stored.given_up, None, "", is_key_lost=False)
    return EpochNote(said.epoch, said.kept, said.given_up, said.at, said.reason, said.is_key_lost, entry)
