"""Finds out what happened where a chain first stopped to hold, from what comes after in the same pass.

A chain holds up to some row and then something does not fit. The one thing that does not fit is kept, the rest of
the chain is watched for a few signs (is the row that was missed still to come? does anything go on behind the
misfit?), and at the end the signs decide. Memory is constant whatever the length of the chain.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mcpbridge.audit.verification.findings import Finding, Kind
from mcpbridge.audit.verification.records import Checkpoint, Event, is_sealed, is_sealed_at, sealed_place


@dataclass(slots=True)
class Place:
    """A row that was accepted."""

    sequence: int
    id: str
    previous_hash: str
    hash: str


@dataclass(slots=True)
class Standing:
    """How far the chain holds: the next row is to be `sequence` + 1 behind `hash`. `recent` ends with the last row."""

    workspace: str
    sequence: int
    hash: str
    behind: int = 0
    vouched: int = 0
    first_unvouched: str | None = None
    recent: list[Place] = field(default_factory=list)
    is_partial: bool = False

    @property
    def expected(self) -> int:
        """The place whose row is awaited."""
        return self.sequence + 1

    @property
    def last(self) -> Place | None:
        """The last accepted row, None at the beginning of the chain."""
        return self.recent[-1] if self.recent else None

    def inserted_before(self, event: Event) -> Place | None:
        """The row that stands, not vouched for, where `event` would stand by the previous hash that it names."""
        for place in self.recent:
            if place.sequence > self.vouched and place.previous_hash == event.previous_hash:
                return place if place.hash != event.hash else None
        return None


class Doubt(Protocol):
    """Something does not fit; what comes after tells what it is."""

    def watch(self, event: Event) -> None:
        """A later row of the chain."""

    def watch_checkpoint(self, checkpoint: Checkpoint) -> None:
        """A later checkpoint of the chain, whose signature counts."""

    def finding(self) -> Finding:
        """The verdict, once everything was seen."""


def inserted_finding(standing: Standing, first: Place) -> Finding:
    """The rows from `first` on were put in front of one that was written as its number."""
    reason = f"the row that was written as number {first.sequence} stands behind row {standing.sequence}, renumbered"
    return Finding(Kind.INSERTED, standing.workspace, first.sequence, first.id, reason, until=standing.sequence)


class Settled:
    """Nothing more needs to be seen."""

    def __init__(self, finding: Finding) -> None:
        self._finding = finding

    def watch(self, event: Event) -> None:
        """Changes nothing."""

    def watch_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Changes nothing."""

    def finding(self) -> Finding:
        """What was known from the start."""
        return self._finding


class Disagreement:
    """A statement that counts says that the row `sequence`, the last one accepted, has another hash."""

    def __init__(self, standing: Standing, signed_hash: str, *, source: str) -> None:
        self._standing = standing
        self._signed_hash = signed_hash
        self._source = source
        self._next: Event | None = None
        self._inserted: Place | None = None

    def watch(self, event: Event) -> None:
        """The next row may vouch for what was signed; a later one may be what others were put in front of."""
        if self._next is None:
            self._next = event
        if self._inserted is None:
            place = self._standing.inserted_before(event)
            if place is not None and is_sealed_at(event, place.sequence):
                self._inserted = place

    def watch_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Changes nothing."""

    def finding(self) -> Finding:
        """One edited row, inserted ones, or all rows since the last agreement."""
        now, last, following = self._standing, self._standing.last, self._next
        is_vouched_by_next = (
            following is not None
            and following.previous_hash == self._signed_hash
            and following.sequence == now.expected
        )
        if last is not None and is_vouched_by_next:
            reason = f"{self._source} and the row after it name another hash for this row"
            return Finding(Kind.EDITED, now.workspace, last.sequence, last.id, reason)
        if self._inserted is not None:
            return inserted_finding(now, self._inserted)
        first = min(max(now.vouched, now.behind) + 1, now.sequence)
        reason = (
            f"{self._source} at row {now.sequence} names another hash: rows {first} to {now.sequence} were rewritten"
        )
        return Finding(Kind.REPLACED, now.workspace, first, now.first_unvouched, reason, until=now.sequence)


class Misfit:
    """A row that is not the next one of its chain."""

    def __init__(self, standing: Standing, event: Event, *, origins: Mapping[str, str]) -> None:
        """`origins` tells workspaces by their genesis."""
        self._standing = standing
        self._event = event
        self._origins = origins
        self._highest = event.sequence
        # The awaited row comes after all.
        self._is_awaited_row_there = False
        # The misfit comes a second time.
        self._is_repeated = False
        # The row that stood before the misfit comes after it.
        self._is_predecessor_there = False
        self._goes_on_behind_misfit = False
        self._goes_on_behind_last = False

    def watch(self, event: Event) -> None:
        """Look for the signs."""
        misfit, now = self._event, self._standing
        self._highest = max(self._highest, event.sequence)
        self._is_repeated |= event.hash == misfit.hash
        self._is_predecessor_there |= event.hash == misfit.previous_hash
        self._goes_on_behind_misfit |= event.previous_hash == misfit.hash
        if event.previous_hash == now.hash:
            self._goes_on_behind_last = True
            self._is_awaited_row_there |= is_sealed_at(event, now.expected)

    def watch_checkpoint(self, checkpoint: Checkpoint) -> None:
        """A signature under one of two rows for the same place settles which is genuine."""
        if checkpoint.sequence == self._standing.sequence:
            self._goes_on_behind_misfit |= checkpoint.hash == self._event.hash
            self._goes_on_behind_last |= checkpoint.hash == self._standing.hash

    def finding(self) -> Finding:
        """What the signs say, in the order of `docs/audit-format.md`."""
        now, misfit = self._standing, self._event
        place: int | None = misfit.sequence
        if not is_sealed(misfit):
            place = sealed_place(misfit, near=now.expected, highest=self._highest)
        if place is None:
            return self._changed()
        if place == now.expected:
            return self._wrong_link() if misfit.previous_hash != now.hash else self._renumbered()
        return self._ahead(place) if place > now.expected else self._surplus(place)

    def _changed(self) -> Finding:
        now, misfit = self._standing, self._event
        if self._is_awaited_row_there:
            return self._found(Kind.INSERTED, "its hash is not that of its facts, and the awaited row follows")
        if misfit.sequence > now.expected:
            return self._missing(misfit.sequence)
        other = self._origins.get(misfit.previous_hash)
        if now.sequence == 0 and other not in (None, now.workspace):
            return self._found(Kind.GENESIS, f"the chain begins at the genesis of the workspace {other}")
        return self._found(Kind.EDITED, "its hash is not that of its facts and the previous hash it names")

    def _wrong_link(self) -> Finding:
        now, last = self._standing, self._standing.last
        if self._is_awaited_row_there:
            return self._found(Kind.INSERTED, "it names another previous hash, and the awaited row follows")
        if last is None and now.behind == 0 and now.sequence == 0:
            other = self._origins.get(self._event.previous_hash)
            whose = f"that of the workspace {other}" if other else "no workspace's known here"
            return self._found(Kind.GENESIS, f"the chain begins at another genesis, {whose}")
        if last is None or now.vouched == now.sequence:
            return self._found(Kind.EDITED, "it names another previous hash than the row before it is proved to have")
        reason = "the row after it names another hash for this row"
        return Finding(Kind.EDITED, now.workspace, last.sequence, last.id, reason)

    def _renumbered(self) -> Finding:
        if self._is_awaited_row_there:
            return self._found(Kind.INSERTED, "it is a copy of the row that belongs here, which follows")
        return self._found(Kind.EDITED, f"its number was changed to {self._event.sequence}")

    def _ahead(self, place: int) -> Finding:
        if not self._is_awaited_row_there:
            return self._renumbered() if self._standing.is_partial else self._missing(place)
        if self._is_predecessor_there and not self._is_repeated:
            return self._found(Kind.REORDERED, f"the row of place {place} stands here, and the one of this place later")
        return self._found(Kind.INSERTED, "it belongs nowhere in this chain, and the awaited row follows")

    def _surplus(self, place: int) -> Finding:
        now, misfit, last = self._standing, self._event, self._standing.last
        is_twin = last is not None and place == last.sequence == misfit.sequence
        if last is not None and is_twin and misfit.previous_hash == last.previous_hash and misfit.hash != last.hash:
            return self._forked(last)
        if not self._is_awaited_row_there and misfit.sequence == now.expected:
            inserted = now.inserted_before(misfit)
            if inserted is not None and inserted.sequence == place:
                return inserted_finding(now, inserted)
        return self._found(Kind.INSERTED, f"a row of place {place} stands here a second time, or never belonged here")

    def _forked(self, last: Place) -> Finding:
        is_last_bad = self._goes_on_behind_misfit and not self._goes_on_behind_last
        bad, other = (last.id, self._event.id) if is_last_bad else (self._event.id, last.id)
        reason = f"the row {other} claims the same place behind the same row"
        return Finding(Kind.FORKED, self._standing.workspace, last.sequence, bad, reason)

    def _missing(self, place: int) -> Finding:
        now = self._standing
        count = place - now.expected
        reason = f"{count} row{'s are' if count > 1 else ' is'} missing before row {place} ({self._event.id})"
        return Finding(Kind.REMOVED, now.workspace, now.expected, None, reason, until=place - 1)

    def _found(self, kind: Kind, reason: str) -> Finding:
        return Finding(kind, self._standing.workspace, self._standing.expected, self._event.id, reason)
