"""Compare one chain with what is claimed of it: signed heads, kept heads and older checkpoints."""

import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from mcpbridge.audit.hashchain import genesis
from mcpbridge.audit.verification.diagnosis import (
    AcceptedRow,
    ChainPosition,
    HashDisagreement,
    KnownFinding,
    MismatchDiagnosis,
)
from mcpbridge.audit.verification.findings import (
    ChainReport,
    Finding,
    FindingKind,
    FoundError,
    Unsigned,
    UnusableInputError,
)
from mcpbridge.audit.verification.older import OlderCheckpoint
from mcpbridge.audit.verification.records import Checkpoint
from mcpbridge.audit.verification.tree_walk import TreeWalk
from mcpbridge.audit.verification.trust import Trust

# Up to this many consecutive inserted rows are told from changed ones.
_RECENT = 256
_Result = TypeVar("_Result")


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


class ClaimedChain:
    """The position in one chain that is walked, and everything that it is compared with there."""

    def __init__(
        self,
        workspace: str,
        trust: Trust,
        *,
        origins: Mapping[str, str],
        head: OutsideHead | None = None,
        older: OlderCheckpoint | None = None,
        is_partial: bool = False,
        unsigned: Unsigned = Unsigned.REFUSED,
    ) -> None:
        """`origins` maps each genesis hash to its workspace; `is_partial` allows missing rows."""
        self._report = ChainReport(workspace)
        self._trust = trust
        self._origins = origins
        self._head = head
        self._is_head_found = False
        self._older = older if older is not None and older.workspace == workspace else None
        self._walk = TreeWalk(workspace)
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
        self._last: Checkpoint | None = None
        # A checkpoint whose row has not come yet.
        self._ahead: Checkpoint | None = None
        self._diagnosis: MismatchDiagnosis | None = None

    def _check_claims(self) -> None:
        """Compare the current row with a cut at its position and with the external head."""
        if self._at in self._cuts and self._at != self._report.behind:
            self._compare_hash(self._cuts[self._at], source="a cut")
        head = self._head
        if head is not None and self._diagnosis is None:
            if head.sequence is None:
                self._is_head_found |= head.hash == self._hash
            elif head.sequence == self._at:
                self._is_head_found = True
                self._compare_hash(head.hash, source="the given head")
        kept = self._walk.epochs.heads().get(self._at)
        if kept and self._diagnosis is None and self._at > self._report.behind:
            self._compare_hash(kept["hash"], source="a restore statement")
            self._compare_root(self._walk.epochs.first, kept["root"], record="restore")
        if self._older is not None and self._diagnosis is None and self._older.sequence == self._at:
            self._compare_older(self._older)

    def _compare_older(self, older: OlderCheckpoint) -> None:
        """Compare the log with the checkpoint that was kept elsewhere, at its last row."""
        self._refuse_given_up(older)
        if self._diagnosis is not None:
            return
        is_known = self._walk.is_known(older.first)
        if is_known and not self._walk.has_root(older.root):
            reason = "the tree is not that of the given checkpoint"
            self._conclude(FindingKind.INCONSISTENT, self._at, reason, record="checkpoint")
        elif older.hash and older.hash != self._hash:
            reason = "the row has another hash in the given checkpoint"
            self._conclude(FindingKind.INCONSISTENT, self._at, reason, record="checkpoint")
        elif not is_known and not older.hash:
            reason = "nothing proves the tree of the given checkpoint"
            self._conclude(FindingKind.BAD_PROOF, self._at, reason, record="checkpoint")
        else:
            self._is_head_found = True
            self._compare_hash(self._hash, source="the given checkpoint")

    def _compare_hash(self, hash: str, *, source: str) -> None:
        if hash != self._hash:
            self._diagnosis = HashDisagreement(self._position(), hash, source=source)
            return
        self._report.vouched = self._at
        self._first_unvouched = self._unsigned_from = None

    def _compare_root(self, first: int | None, root: str, *, record: str = "checkpoint") -> None:
        if self._diagnosis is None:
            self._try(lambda: self._walk.refuse_other_root(first, root), self._at, record)

    def _try(self, step: Callable[[], _Result], place: int, record: str, id: str | None = None) -> _Result | None:
        """Do a step, and conclude what it finds."""
        try:
            return step()
        except FoundError as error:
            self._diagnosis = KnownFinding(
                Finding(error.kind, self._report.workspace, place, id, error.reason, record=record, **error.place)
            )
        return None

    def _refuse_given_up(self, older: OlderCheckpoint) -> None:
        origin = older.origin
        if origin is not None:
            place = older.sequence
            self._try(lambda: self._walk.epochs.refuse_given_up(origin, place), place, "checkpoint")

    def _conclude_older(self, older: OlderCheckpoint) -> None:
        """Find that the log does not reach a checkpoint that was kept elsewhere, or gave up its rows."""
        place = older.sequence
        self._refuse_given_up(older)
        if self._diagnosis is not None:
            return
        if place > self._at:
            self._conclude(FindingKind.CUT, self._at + 1, f"the given checkpoint is of row {place}", until=place)
        elif place <= self._report.behind and place < self._at:
            raise UnusableInputError(
                f"The given checkpoint, row {place}, is below the cut at row {self._report.behind}, so there is no row"
                " to compare it with."
            )

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
        elif missing := [key.name for key in self._trust.witnesses if key.name not in self._walk.cosigned]:
            reason = f"{missing[0]} cosigned none of the checkpoints"
            self._conclude(FindingKind.UNSIGNED, self._at, reason, record="checkpoint")

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
