"""Walk one workspace's chain row by row, up to the first mismatch."""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from mcpbridge.audit.hashchain import genesis
from mcpbridge.audit.verification.diagnosis import (
    AcceptedRow,
    ChainPosition,
    HashDisagreement,
    KnownFinding,
    MismatchDiagnosis,
    UnexpectedRow,
)
from mcpbridge.audit.verification.findings import ChainReport, Finding, FindingKind, Unsigned, UnusableInputError
from mcpbridge.audit.verification.records import Checkpoint, Event, has_valid_hash
from mcpbridge.audit.verification.trust import Trust

# Up to this many consecutive inserted rows are told from changed ones.
_RECENT = 256


@dataclass(frozen=True, slots=True)
class OutsideHead:
    """A hash that was kept elsewhere, with its row number if known."""

    hash: str
    sequence: int | None = None

    @classmethod
    def from_text(cls, text: str) -> "OutsideHead":
        """Parse HASH or SEQUENCE:HASH. Raises UnusableInputError."""
        number, _, hash = text.strip().lower().rpartition(":")
        if not re.fullmatch("[0-9a-f]{64}", hash) or (number and not number.isdecimal()):
            raise UnusableInputError(
                "--head takes a hash of 64 hexadecimal digits, or a row number, a colon and the hash."
            )
        return cls(hash, int(number) if number else None)


class Chain:
    """Verifies one chain. Feed its cuts first, then rows and checkpoints by sequence number."""

    def __init__(
        self,
        workspace: str,
        trust: Trust,
        *,
        origins: Mapping[str, str],
        head: OutsideHead | None = None,
        is_partial: bool = False,
        unsigned: Unsigned = Unsigned.REFUSED,
    ) -> None:
        """`origins` maps each genesis hash to its workspace; `is_partial` allows missing rows."""
        self._report = ChainReport(workspace)
        self._trust = trust
        self._origins = origins
        self._head = head
        self._is_head_found = False
        self._is_partial = is_partial
        self._cuts: dict[int, str] = {}
        self._is_begun = False
        self._at, self._hash = genesis(workspace)
        self._recent: deque[AcceptedRow] = deque(maxlen=_RECENT)
        self._first_unvouched: str | None = None
        self._unsigned = unsigned
        # The first row since the last signed one, and the first before an omission, which no checkpoint can reach.
        self._unsigned_from: int | None = None
        self._never_signed_from: int | None = None
        # The last row that each retired key may sign: the first that a key after it signed.
        self._retired_at: dict[str, int] = {}
        # A checkpoint whose row has not come yet.
        self._ahead: Checkpoint | None = None
        self._diagnosis: MismatchDiagnosis | None = None

    def event(self, event: Event) -> None:
        """Process the next row."""
        self._report.rows += 1
        if self._diagnosis is not None:
            self._diagnosis.watch(event)
            return
        if not self._is_begun:
            self._begin(event)
        is_valid = has_valid_hash(event)
        if self._is_partial and event.sequence > self._at + 1:
            self._skip_omitted(event)
        if not is_valid or event.sequence != self._at + 1 or event.previous_hash != self._hash:
            self._diagnosis = UnexpectedRow(self._position(), event, origins=self._origins)
        elif self._ahead is not None:
            reason = f"this checkpoint comes before row {event.sequence}, out of order"
            self._conclude(FindingKind.REORDERED, self._ahead.sequence, reason, record="checkpoint")
        else:
            self._accept(event)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Process the next checkpoint or cut."""
        fault = self._trust.fault(checkpoint)
        if self._diagnosis is not None:
            if not fault:
                self._diagnosis.watch_checkpoint(checkpoint)
            return
        self._report.checkpoints += not checkpoint.is_cut
        fault = fault or self._retired(checkpoint)
        if fault:
            self._conclude(fault[0], checkpoint.sequence, fault[1], record=checkpoint.record)
        elif checkpoint.is_cut and not self._is_begun:
            self._cuts[checkpoint.sequence] = checkpoint.hash
        elif self._is_begun or checkpoint.sequence == 0:
            self._compare(checkpoint)
        elif checkpoint.sequence in self._cuts:
            if self._cuts[checkpoint.sequence] != checkpoint.hash:
                reason = "a checkpoint and a cut at the same row have different hashes"
                self._conclude(FindingKind.REPLACED, checkpoint.sequence, reason, record="cut")
        elif checkpoint.sequence > max(self._cuts, default=0):
            self._ahead = checkpoint

    def _retired(self, checkpoint: Checkpoint) -> tuple[FindingKind, str] | None:
        """Return what is wrong if the key was retired before this row; else retire the keys before it."""
        last = self._retired_at.get(checkpoint.key_id)
        if last is not None and checkpoint.sequence > last:
            reason = f"it is signed with the key {checkpoint.key_id}, but the next key had signed row {last}"
            return FindingKind.RETIRED_KEY, reason
        # A cut is made long after its row, so it says nothing about when a key was in use.
        if not checkpoint.is_cut:
            for earlier in self._trust.predecessors(checkpoint.key_id):
                self._retired_at.setdefault(earlier, checkpoint.sequence)
        return None

    def finish(self) -> ChainReport:
        """Return the report after the last record. Raises UnusableInputError for a head below the cut."""
        report = self._report
        if not self._is_begun and self._diagnosis is None:
            self._begin(None)
        if self._diagnosis is None and self._ahead is not None and not self._is_partial:
            reason = f"a checkpoint proves that there were rows up to {self._ahead.sequence}"
            self._conclude(FindingKind.CUT, self._at + 1, reason, until=self._ahead.sequence)
        if self._diagnosis is None and self._head is not None and not self._is_head_found:
            self._conclude_missing_head(self._head)
        if self._diagnosis is None:
            self._conclude_unsigned()
        report.sequence, report.hash = self._at, self._hash
        report.finding = self._diagnosis.finding() if self._diagnosis else None
        return report

    def _begin(self, first: Event | None) -> None:
        """Begin at the cut or genesis that the first row names, otherwise at the nearest cut below it."""
        self._is_begun = True
        named = [place for place, hash in self._cuts.items() if first is not None and hash == first.previous_hash]
        if named:
            self._begin_after(max(named))
        elif self._cuts and (first is None or first.previous_hash != self._hash):
            below = [place for place in self._cuts if first is None or place < first.sequence]
            self._begin_after(max(below, default=min(self._cuts)))
        self._check_claims()

    def _begin_after(self, cut: int) -> None:
        self._at, self._hash = cut, self._cuts[cut]
        self._report.behind = cut

    def _skip_omitted(self, event: Event) -> None:
        self._report.left_out += event.sequence - self._at - 1
        if self._never_signed_from is None:
            self._never_signed_from = self._unsigned_from
        self._unsigned_from = None
        self._at, self._hash = event.sequence - 1, event.previous_hash
        self._recent.clear()
        self._ahead = None

    def _accept(self, event: Event) -> None:
        self._at, self._hash = event.sequence, event.hash
        self._recent.append(AcceptedRow(event.sequence, event.id, event.previous_hash, event.hash))
        if self._first_unvouched is None:
            self._first_unvouched = event.id
        if self._unsigned_from is None:
            self._unsigned_from = event.sequence
        self._check_claims()

    def _check_claims(self) -> None:
        """Compare the current row with a cut at its position and with the external head."""
        if self._at in self._cuts and self._at != self._report.behind:
            self._compare_hash(self._cuts[self._at], source="a cut")
        head = self._head
        if head is None or self._diagnosis is not None:
            return
        if head.sequence is None:
            self._is_head_found |= head.hash == self._hash
        elif head.sequence == self._at:
            self._is_head_found = True
            self._compare_hash(head.hash, source="the given head")

    def _compare(self, checkpoint: Checkpoint) -> None:
        source = "a cut" if checkpoint.is_cut else "a checkpoint"
        if checkpoint.sequence == self._at:
            self._compare_hash(checkpoint.hash, source=source)
        elif checkpoint.sequence > self._at:
            self._ahead = checkpoint
        elif checkpoint.sequence > self._report.behind and not self._is_partial:
            reason = f"this checkpoint comes after row {self._at}, out of order"
            self._conclude(FindingKind.REORDERED, checkpoint.sequence, reason, record="checkpoint")

    def _compare_hash(self, hash: str, *, source: str) -> None:
        if hash != self._hash:
            self._diagnosis = HashDisagreement(self._position(), hash, source=source)
            return
        self._report.vouched = self._at
        self._first_unvouched = self._unsigned_from = None

    def _conclude_unsigned(self) -> None:
        """Find rows that lie under no signature, or a log without any."""
        if self._unsigned is Unsigned.ALLOWED:
            return
        report, first = self._report, self._never_signed_from
        if not (report.checkpoints or report.behind or report.vouched or self._is_head_found):
            reason = "nothing is signed: there is no checkpoint of a trusted key"
            self._conclude(FindingKind.UNSIGNED, 1, reason, until=self._at or None)
        elif first is not None:
            self._conclude(FindingKind.UNSIGNED, first, "no checkpoint confirms this row before rows are omitted")
        elif self._unsigned_from is not None and self._unsigned is Unsigned.REFUSED:
            reason = "no checkpoint covers these rows"
            self._conclude(FindingKind.UNSIGNED, self._unsigned_from, reason, until=self._at)

    def _conclude_missing_head(self, head: OutsideHead) -> None:
        first = self._at + 1
        if head.sequence is None:
            below = ", or it is below the cut" if self._report.behind else ""
            reason = f"no row has the hash of --head: the end was cut off, or the chain was rewritten{below}"
            self._conclude(FindingKind.CUT, first, reason)
        elif head.sequence > self._at:
            self._conclude(FindingKind.CUT, first, f"the given head is row {head.sequence}", until=head.sequence)
        else:
            raise UnusableInputError(
                f"The given head, row {head.sequence}, is below the cut at row {self._report.behind}, so there is"
                " no row to compare it with."
            )

    def _conclude(
        self, kind: FindingKind, place: int, reason: str, *, record: str = "event", until: int | None = None
    ) -> None:
        self._diagnosis = KnownFinding(
            Finding(kind, self._report.workspace, place, None, reason, record=record, until=until)
        )

    def _position(self) -> ChainPosition:
        return ChainPosition(
            workspace=self._report.workspace,
            sequence=self._at,
            hash=self._hash,
            behind=self._report.behind,
            vouched=self._report.vouched,
            first_unvouched=self._first_unvouched,
            recent=list(self._recent),
            is_partial=self._is_partial,
        )
