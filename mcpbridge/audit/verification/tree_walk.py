"""What format 2 adds to a chain that is walked: its tree, epochs, sealed members, cosignatures and times."""

from datetime import UTC, datetime
from typing import Any

from mcpbridge.audit.tree.errors import FormatError, ProofError
from mcpbridge.audit.tree.merkle import CompactRange, leaf_hash
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.verification.clock import Clock
from mcpbridge.audit.verification.epochs import Epochs
from mcpbridge.audit.verification.findings import FindingKind, FoundError, UnusableInputError
from mcpbridge.audit.verification.records import Checkpoint, Event, Range
from mcpbridge.audit.verification.seals import verify_seals


class TreeWalk:
    """Follow one chain from its first row; the tree is known only from there, unless a range gives its left part."""

    def __init__(self, workspace: str) -> None:
        """Begin before the first row."""
        self.epochs = Epochs(workspace)
        self.clock = Clock()
        self.epoch = 0
        self.cosigned: dict[str, dict[str, Any]] = {}
        self._range: Range | None = None
        self._tree: CompactRange | None = None
        # The row that is the first leaf.
        self._first = 0

    def take_range(self, given: Range) -> None:
        """Use the left part of the tree that an export gives. Raises UnusableInputError for a second one."""
        if self._range is not None or self._tree is not None:
            raise UnusableInputError("A range line must come once, before the rows of its workspace.")
        self._range = given

    def begin(self, at: int) -> None:
        """Begin the tree after row `at`. Raises FoundError."""
        self._tree, self._first = CompactRange(), at + 1
        given = self._range
        if given is None:
            return
        try:
            origin = Origin.parse(given.origin)
        except FormatError as error:
            raise FoundError(FindingKind.BAD_EPOCH, str(error)) from None
        self.epochs.refuse_other_log(origin)
        if given.first != at + 1 or origin.first > at + 1 or given.right:
            raise FoundError(FindingKind.BAD_PROOF, "the range is not that of the rows of this chain")
        try:
            self._tree = CompactRange(at + 1 - origin.first, map(bytes.fromhex, given.left))
        except ProofError as error:
            raise FoundError(FindingKind.BAD_PROOF, str(error)) from None
        self._first = origin.first

    def omit(self) -> None:
        """Rows are omitted here, so that the tree is no longer known."""
        self._tree = None

    def row(self, event: Event) -> None:
        """Take the next valid row. Raises FoundError."""
        self.clock.row(event)
        if self._tree is not None:
            self._tree.append(leaf_hash(bytes.fromhex(event.hash)))
        self.epoch = self.epochs.epoch_of(event, self.epoch)
        verify_seals(event)

    def is_known(self, first: int | None) -> bool:
        """Return whether the root of a tree that begins with this row can be calculated."""
        return self._tree is not None and first == self._first

    def has_root(self, root: str) -> bool:
        """Return whether the rows so far have this root."""
        return self._tree is not None and self._tree.root().hex() == root

    def refuse_other_root(self, first: int | None, root: str) -> None:
        """Raise FoundError if the root of the rows so far can be calculated and is another one."""
        if not self.is_known(first) or self.has_root(root):
            return
        if self._range is not None:
            raise FoundError(FindingKind.BAD_PROOF, "the range and the rows do not lead to the signed root")
        raise FoundError(FindingKind.FORKED, "the signed tree has other leaves than the chain has rows")

    def take_cosignatures(self, checkpoint: Checkpoint, cosigned: dict[str, int]) -> None:
        """Keep which witness saw which row last."""
        for name, seconds in cosigned.items():
            self.cosigned[name] = {"name": name, "at": cosigned_at(seconds), "sequence": checkpoint.sequence}


def cosigned_at(seconds: int) -> str:
    """Return the time of a cosignature as text."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(seconds)
