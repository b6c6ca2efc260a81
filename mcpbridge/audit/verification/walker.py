"""Walks one workspace's chain, row by row, and stops believing at the first thing that does not fit."""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from mcpbridge.audit.hashchain import genesis
from mcpbridge.audit.verification.diagnosis import Disagreement, Doubt, Misfit, Place, Settled, Standing
from mcpbridge.audit.verification.findings import ChainReport, Finding, Kind, UnusableInputError
from mcpbridge.audit.verification.records import Checkpoint, Event, is_sealed
from mcpbridge.audit.verification.trust import Trust

# So many rows inserted one after the other are still told from changed ones.
_RECENT = 256


@dataclass(frozen=True, slots=True)
class OutsideHead:
    """What somebody kept elsewhere: a row's hash and, perhaps, its number."""

    hash: str
    sequence: int | None = None

    @classmethod
    def from_text(cls, text: str) -> "OutsideHead":
        """HASH or SEQUENCE:HASH. Raises UnusableInputError."""
        number, _, hash = text.strip().lower().rpartition(":")
        if not re.fullmatch("[0-9a-f]{64}", hash) or (number and not number.isdecimal()):
            raise UnusableInputError(
                "A head is a hash of 64 hexadecimal digits, or a row's number, a colon and its hash."
            )
        return cls(hash, int(number) if number else None)


class Chain:
    """One chain under verification. Cuts come first, then rows and checkpoints in the order of their numbers."""

    def __init__(
        self,
        workspace: str,
        trust: Trust,
        *,
        origins: Mapping[str, str],
        head: OutsideHead | None = None,
        is_partial: bool = False,
    ) -> None:
        """`origins` tells workspaces by their genesis; `is_partial` lets rows be left out."""
        self._report = ChainReport(workspace)
        self._trust = trust
        self._origins = origins
        self._head = head
        self._is_head_found = False
        self._is_partial = is_partial
        self._cuts: dict[int, str] = {}
        self._is_begun = False
        self._at, self._hash = genesis(workspace)
        self._recent: deque[Place] = deque(maxlen=_RECENT)
        self._first_unvouched: str | None = None
        # A checkpoint that has gone further than the rows so far.
        self._ahead: Checkpoint | None = None
        self._doubt: Doubt | None = None

    def event(self, event: Event) -> None:
        """The next row."""
        self._report.rows += 1
        if self._doubt is not None:
            self._doubt.watch(event)
            return
        if not self._is_begun:
            self._begin(event)
        sealed = is_sealed(event)
        if self._is_partial and event.sequence > self._at + 1:
            self._leap(event)
        if not sealed or event.sequence != self._at + 1 or event.previous_hash != self._hash:
            self._doubt = Misfit(self._standing(), event, origins=self._origins)
        elif self._ahead is not None:
            reason = f"this checkpoint stands before the row {event.sequence} that it follows"
            self._settle(Kind.REORDERED, self._ahead.sequence, reason, record="checkpoint")
        else:
            self._accept(event)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """The next checkpoint, or a cut."""
        fault = self._trust.fault(checkpoint)
        if self._doubt is not None:
            if not fault:
                self._doubt.watch_checkpoint(checkpoint)
            return
        self._report.checkpoints += not checkpoint.is_cut
        if fault:
            self._settle(Kind.WRONG_KEY, checkpoint.sequence, fault, record=checkpoint.record)
        elif checkpoint.is_cut and not self._is_begun:
            self._cuts[checkpoint.sequence] = checkpoint.hash
        elif self._is_begun or checkpoint.sequence == 0:
            self._compare(checkpoint)
        elif checkpoint.sequence in self._cuts:
            if self._cuts[checkpoint.sequence] != checkpoint.hash:
                reason = "a checkpoint and a cut at the same row name two hashes"
                self._settle(Kind.REPLACED, checkpoint.sequence, reason, record="cut")
        elif checkpoint.sequence > max(self._cuts, default=0):
            self._ahead = checkpoint

    def finish(self) -> ChainReport:
        """The report, once everything was seen. Raises UnusableInputError for a head below the cut."""
        report = self._report
        if not self._is_begun and self._doubt is None:
            self._begin(None)
        if self._doubt is None and self._ahead is not None and not self._is_partial:
            reason = f"a checkpoint says that there were rows up to {self._ahead.sequence}"
            self._settle(Kind.CUT, self._at + 1, reason, until=self._ahead.sequence)
        if self._doubt is None and self._head is not None and not self._is_head_found:
            self._miss_head(self._head)
        report.sequence, report.hash = self._at, self._hash
        report.finding = self._doubt.finding() if self._doubt else None
        return report

    def _begin(self, first: Event | None) -> None:
        """Begin at the cut or the genesis that the first row names, else at the nearest cut below it."""
        self._is_begun = True
        named = [place for place, hash in self._cuts.items() if first is not None and hash == first.previous_hash]
        if named:
            self._begin_behind(max(named))
        elif self._cuts and (first is None or first.previous_hash != self._hash):
            below = [place for place in self._cuts if first is None or place < first.sequence]
            self._begin_behind(max(below, default=min(self._cuts)))
        self._reach()

    def _begin_behind(self, cut: int) -> None:
        self._at, self._hash = cut, self._cuts[cut]
        self._report.behind = cut

    def _leap(self, event: Event) -> None:
        self._report.left_out += event.sequence - self._at - 1
        self._at, self._hash = event.sequence - 1, event.previous_hash
        self._recent.clear()
        self._ahead = None

    def _accept(self, event: Event) -> None:
        self._at, self._hash = event.sequence, event.hash
        self._recent.append(Place(event.sequence, event.id, event.previous_hash, event.hash))
        if self._first_unvouched is None:
            self._first_unvouched = event.id
        self._reach()

    def _reach(self) -> None:
        """What others say of the row that was just reached: a cut behind which rows remained, a head from outside."""
        if self._at in self._cuts and self._at != self._report.behind:
            self._agree(self._cuts[self._at], source="a cut")
        head = self._head
        if head is None or self._doubt is not None:
            return
        if head.sequence is None:
            self._is_head_found |= head.hash == self._hash
        elif head.sequence == self._at:
            self._is_head_found = True
            self._agree(head.hash, source="the head given")

    def _compare(self, checkpoint: Checkpoint) -> None:
        source = "a cut" if checkpoint.is_cut else "a checkpoint"
        if checkpoint.sequence == self._at:
            self._agree(checkpoint.hash, source=source)
        elif checkpoint.sequence > self._at:
            self._ahead = checkpoint
        elif checkpoint.sequence > self._report.behind and not self._is_partial:
            reason = f"this checkpoint stands behind the row {self._at}, out of its place"
            self._settle(Kind.REORDERED, checkpoint.sequence, reason, record="checkpoint")

    def _agree(self, hash: str, *, source: str) -> None:
        if hash != self._hash:
            self._doubt = Disagreement(self._standing(), hash, source=source)
            return
        self._report.vouched = self._at
        self._first_unvouched = None

    def _miss_head(self, head: OutsideHead) -> None:
        first = self._at + 1
        if head.sequence is None:
            below = ", or it lies below the cut" if self._report.behind else ""
            reason = f"no row has the hash given as --head: the tail was cut, or the chain rewritten{below}"
            self._settle(Kind.CUT, first, reason)
        elif head.sequence > self._at:
            self._settle(Kind.CUT, first, f"the head given is row {head.sequence}", until=head.sequence)
        else:
            raise UnusableInputError(
                f"The head given, row {head.sequence}, lies below the cut at row {self._report.behind}:"
                " nothing is left to compare it with."
            )

    def _settle(self, kind: Kind, place: int, reason: str, *, record: str = "event", until: int | None = None) -> None:
        self._doubt = Settled(Finding(kind, self._report.workspace, place, None, reason, record=record, until=until))

    def _standing(self) -> Standing:
        return Standing(
            workspace=self._report.workspace,
            sequence=self._at,
            hash=self._hash,
            behind=self._report.behind,
            vouched=self._report.vouched,
            first_unvouched=self._first_unvouched,
            recent=list(self._recent),
            is_partial=self._is_partial,
        )
