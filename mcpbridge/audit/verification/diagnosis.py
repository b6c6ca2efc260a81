"""Diagnose the first mismatch of a chain (edited, deleted, inserted, reordered) from the rows that follow.

One pass, constant memory: the row that does not match is kept, the rest of the chain is watched for a few clues (does
the expected row still come? does the chain continue after the mismatch?), and at the end the clues decide.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mcpbridge.audit.verification.findings import Finding, FindingKind
from mcpbridge.audit.verification.records import (
    Checkpoint,
    Event,
    find_hashed_sequence,
    has_valid_hash,
    has_valid_hash_at,
)


@dataclass(slots=True)
class AcceptedRow:
    """The identity of a row that was valid."""

    sequence: int
    id: str
    previous_hash: str
    hash: str


@dataclass(slots=True)
class ChainPosition:
    """The last valid row of the chain: the next one must be `sequence` + 1 with `hash` as its previous hash.

    `behind` is the cut after which the chain begins, `vouched` the last signed row, `recent` the latest valid rows.
    """

    workspace: str
    sequence: int
    hash: str
    behind: int = 0
    vouched: int = 0
    first_unvouched: str | None = None
    recent: list[AcceptedRow] = field(default_factory=list)
    is_partial: bool = False

    @property
    def expected(self) -> int:
        """Return the sequence number of the expected row."""
        return self.sequence + 1

    @property
    def last(self) -> AcceptedRow | None:
        """Return the last valid row, or None at the beginning of the chain."""
        return self.recent[-1] if self.recent else None

    def inserted_before(self, event: Event) -> AcceptedRow | None:
        """Return the unsigned row that has the place of `event`, judged by its previous hash; None if there is none."""
        for place in self.recent:
            if place.sequence > self.vouched and place.previous_hash == event.previous_hash:
                return place if place.hash != event.hash else None
        return None


class MismatchDiagnosis(Protocol):
    """Collects clues from the records after a mismatch, and then tells what happened."""

    def watch(self, event: Event) -> None:
        """Look at a later row of the chain."""

    def watch_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Look at a later checkpoint with a valid signature."""

    def finding(self) -> Finding:
        """Return the finding, after the last record."""


def inserted_finding(position: ChainPosition, first: AcceptedRow) -> Finding:
    """Return the finding that rows from `first` on were inserted before the genuine row of that number."""
    reason = f"the genuine row {first.sequence} follows after row {position.sequence}, renumbered"
    return Finding(FindingKind.INSERTED, position.workspace, first.sequence, first.id, reason, until=position.sequence)


class KnownFinding:
    """A finding that needs no further clues."""

    def __init__(self, finding: Finding) -> None:
        self._finding = finding

    def watch(self, event: Event) -> None:
        """Ignore it."""

    def watch_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Ignore it."""

    def finding(self) -> Finding:
        """Return the known finding."""
        return self._finding


class HashDisagreement:
    """A trusted statement names another hash for the last valid row."""

    def __init__(self, position: ChainPosition, signed_hash: str, *, source: str) -> None:
        self._position = position
        self._signed_hash = signed_hash
        self._source = source
        self._next: Event | None = None
        self._inserted: AcceptedRow | None = None

    def watch(self, event: Event) -> None:
        """Keep the next row, which may support the signed hash, and look for a row that others were inserted before."""
        if self._next is None:
            self._next = event
        if self._inserted is None:
            place = self._position.inserted_before(event)
            if place is not None and has_valid_hash_at(event, place.sequence):
                self._inserted = place

    def watch_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Ignore it."""

    def finding(self) -> Finding:
        """Return an edited row, inserted rows, or else a rewrite of all rows since the last signed one."""
        now, last, following = self._position, self._position.last, self._next
        is_vouched_by_next = (
            following is not None
            and following.previous_hash == self._signed_hash
            and following.sequence == now.expected
        )
        if last is not None and is_vouched_by_next:
            reason = f"{self._source} and the row after it name another hash for this row"
            return Finding(FindingKind.EDITED, now.workspace, last.sequence, last.id, reason)
        if self._inserted is not None:
            return inserted_finding(now, self._inserted)
        first = min(max(now.vouched, now.behind) + 1, now.sequence)
        reason = (
            f"{self._source} at row {now.sequence} names another hash: rows {first} to {now.sequence} were rewritten"
        )
        return Finding(FindingKind.REPLACED, now.workspace, first, now.first_unvouched, reason, until=now.sequence)


class UnexpectedRow:
    """A row that is not the expected next row."""

    def __init__(self, position: ChainPosition, event: Event, *, origins: Mapping[str, str]) -> None:
        """`origins` maps each genesis hash to its workspace."""
        self._position = position
        self._event = event
        self._origins = origins
        self._highest = event.sequence
        # The expected row comes later.
        self._has_expected_row = False
        # The mismatching row comes a second time.
        self._is_repeated = False
        # The row before the mismatching one comes after it.
        self._has_predecessor = False
        self._continues_after_mismatch = False
        self._continues_after_last = False

    def watch(self, event: Event) -> None:
        """Collect clues from a later row."""
        row, now = self._event, self._position
        self._highest = max(self._highest, event.sequence)
        self._is_repeated |= event.hash == row.hash
        self._has_predecessor |= event.hash == row.previous_hash
        self._continues_after_mismatch |= event.previous_hash == row.hash
        if event.previous_hash == now.hash:
            self._continues_after_last = True
            self._has_expected_row |= has_valid_hash_at(event, now.expected)

    def watch_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Look at a checkpoint, which proves which of two rows with the same number is genuine."""
        if checkpoint.sequence == self._position.sequence:
            self._continues_after_mismatch |= checkpoint.hash == self._event.hash
            self._continues_after_last |= checkpoint.hash == self._position.hash

    def finding(self) -> Finding:
        """Decide by the clues, in the order of `docs/audit-format.md`."""
        now, row = self._position, self._event
        place: int | None = row.sequence
        if not has_valid_hash(row):
            place = find_hashed_sequence(row, near=now.expected, highest=self._highest)
        if place is None:
            return self._changed()
        if place == now.expected:
            return self._wrong_link() if row.previous_hash != now.hash else self._renumbered()
        return self._ahead(place) if place > now.expected else self._surplus(place)

    def _changed(self) -> Finding:
        now, row = self._position, self._event
        if self._has_expected_row:
            return self._found(
                FindingKind.INSERTED, "its hash does not match its content, and the expected row follows"
            )
        if row.sequence > now.expected:
            return self._missing(row.sequence)
        other = self._origins.get(row.previous_hash)
        if now.sequence == 0 and other not in (None, now.workspace):
            return self._found(FindingKind.GENESIS, f"the chain begins at the genesis of the workspace {other}")
        return self._found(FindingKind.EDITED, "its hash does not match its content and previous hash")

    def _wrong_link(self) -> Finding:
        now, last = self._position, self._position.last
        if self._has_expected_row:
            return self._found(FindingKind.INSERTED, "it has another previous hash, and the expected row follows")
        if last is None and now.behind == 0 and now.sequence == 0:
            other = self._origins.get(self._event.previous_hash)
            whose = f"that of the workspace {other}" if other else "that of no known workspace"
            return self._found(FindingKind.GENESIS, f"the chain begins at another genesis, {whose}")
        if last is None or now.vouched == now.sequence:
            return self._found(
                FindingKind.EDITED, "its previous hash differs from the signed hash of the row before it"
            )
        reason = "the next row has another previous hash than the hash of this row"
        return Finding(FindingKind.EDITED, now.workspace, last.sequence, last.id, reason)

    def _renumbered(self) -> Finding:
        if self._has_expected_row:
            return self._found(FindingKind.INSERTED, "it is a copy of the expected row, which follows")
        return self._found(FindingKind.EDITED, f"its number was changed to {self._event.sequence}")

    def _ahead(self, place: int) -> Finding:
        if not self._has_expected_row:
            return self._renumbered() if self._position.is_partial else self._missing(place)
        if self._has_predecessor and not self._is_repeated:
            return self._found(FindingKind.REORDERED, f"row {place} is here, and the expected row comes later")
        return self._found(FindingKind.INSERTED, "it does not belong to this chain, and the expected row follows")

    def _surplus(self, place: int) -> Finding:
        now, row, last = self._position, self._event, self._position.last
        is_twin = last is not None and place == last.sequence == row.sequence
        if last is not None and is_twin and row.previous_hash == last.previous_hash and row.hash != last.hash:
            return self._forked(last)
        if not self._has_expected_row and row.sequence == now.expected:
            inserted = now.inserted_before(row)
            if inserted is not None and inserted.sequence == place:
                return inserted_finding(now, inserted)
        return self._found(FindingKind.INSERTED, f"row {place} is repeated here or does not belong to this chain")

    def _forked(self, last: AcceptedRow) -> Finding:
        is_last_bad = self._continues_after_mismatch and not self._continues_after_last
        bad, other = (last.id, self._event.id) if is_last_bad else (self._event.id, last.id)
        reason = f"the row {other} has the same number and the same previous hash"
        return Finding(FindingKind.FORKED, self._position.workspace, last.sequence, bad, reason)

    def _missing(self, place: int) -> Finding:
        now = self._position
        count = place - now.expected
        reason = f"{count} row{'s are' if count > 1 else ' is'} missing before row {place} ({self._event.id})"
        return Finding(FindingKind.REMOVED, now.workspace, now.expected, None, reason, until=place - 1)

    def _found(self, kind: FindingKind, reason: str) -> Finding:
        return Finding(kind, self._position.workspace, self._position.expected, self._event.id, reason)
