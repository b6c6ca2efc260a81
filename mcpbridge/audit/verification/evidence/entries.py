"""Verify the entries of evidence: each one's content, its place and its proof."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mcpbridge.audit.hashchain import genesis
from mcpbridge.audit.tree.encoding import hash_from_hex
from mcpbridge.audit.tree.errors import FormatError, ProofError
from mcpbridge.audit.tree.merkle import CompactRange, fold, leaf_hash, node_hash, subtrees
from mcpbridge.audit.tree.proof_files import ProofFile
from mcpbridge.audit.tree.proofs import verify_inclusion
from mcpbridge.audit.verification.clock import Clock
from mcpbridge.audit.verification.epochs import Epochs
from mcpbridge.audit.verification.evidence.archive import EvidenceArchive, leaf_name, proof_name
from mcpbridge.audit.verification.evidence.filters import FilterJudge
from mcpbridge.audit.verification.findings import FindingKind, FoundError, UnusableInputError
from mcpbridge.audit.verification.records import Checkpoint, Event, Range, Restore, Withheld, has_valid_hash
from mcpbridge.audit.verification.seals import verify_seals
from mcpbridge.audit.verification.signed_notes import parsed_note, tree_head


class EvidenceEntries:
    """Takes the entries in their order. `sequence` is the last one taken."""

    def __init__(
        self, archive: EvidenceArchive, checkpoint: Checkpoint, *, epochs: Epochs, judge: FilterJudge, clock: Clock
    ) -> None:
        """`checkpoint` and `epochs` are verified."""
        self._archive, self._checkpoint, self._epochs, self._judge = archive, checkpoint, epochs, judge
        self._head = tree_head(checkpoint)
        self._note_text = parsed_note(checkpoint.note)[0].text
        self._kept = epochs.heads()
        self._epoch = 0
        self._clock = clock
        self.rows = self.withheld = 0
        self.sequence, self._hash = 0, ""
        self._range: Range | None = None
        self._tree = CompactRange()

    @property
    def is_range(self) -> bool:
        """Return whether one range proves all entries."""
        return self._range is not None

    def take(self, record: Event | Restore | Range | Withheld) -> None:
        """Verify the next record. Raises FoundError and UnusableInputError."""
        match record:
            case Event():
                self._event(record)
            case Withheld():
                with _at(sequence=record.sequence):
                    self._place(record.sequence, record.hash, None)
                self.withheld += 1
            case Range():
                self._begin(record)
            case Restore():
                if self.sequence or self._range is not None:
                    raise UnusableInputError("A restore line comes after the entries.")

    def finish(self) -> None:
        """Verify that the entries of a range lead to the signed root. Raises FoundError."""
        given = self._range
        if given is None:
            return
        first = self._checkpoint.first
        if self._expected <= given.last:
            reason = "entries at the end of the range are missing"
            raise FoundError(FindingKind.REMOVED, reason, sequence=self._expected)
        nodes = [(*place, hash) for place, hash in zip(subtrees(0, self._tree.size), self._tree.nodes, strict=True)]
        right = zip(subtrees(given.last - first + 1, given.size), map(hash_from_hex, given.right), strict=True)
        for (level, index), hash in right:
            while index & 1 and nodes and nodes[-1][0] == level:
                hash = node_hash(nodes.pop()[2], hash)
                level, index = level + 1, index >> 1
            nodes.append((level, index, hash))
        if fold([hash for _, _, hash in nodes]) != self._head.root:
            reason = "the entries of the range do not lead to the signed root"
            raise FoundError(FindingKind.BAD_PROOF, reason, record="range", sequence=self.sequence)

    @property
    def _expected(self) -> int:
        return self._tree.size + self._checkpoint.first

    def _event(self, event: Event) -> None:
        with _at(sequence=event.sequence, id=event.id):
            if event.workspace != self._checkpoint.workspace:
                raise FoundError(FindingKind.INSERTED, "it is of another workspace")
            if not has_valid_hash(event):
                raise FoundError(FindingKind.EDITED, "its hash does not match its content and previous hash")
            self._place(event.sequence, event.hash, event.previous_hash)
            self._epoch = self._epochs.epoch_of(event, self._epoch)
            verify_seals(event)
            if self._range is None:
                self._verify_proof(event)
        self._clock.row(event)
        self.rows += 1
        self._judge.take(event)

    def _place(self, sequence: int, hash: str, previous_hash: str | None) -> None:
        """Put the next entry, shown or withheld (without `previous_hash`), into its place. Raises FoundError."""
        if self._range is not None:
            self._put(sequence, hash, self._range)
        elif previous_hash is None:
            raise FoundError(FindingKind.UNSIGNED, "it is withheld, and no range proves it")
        elif sequence <= self.sequence:
            raise FoundError(FindingKind.REORDERED, f"it comes after entry {self.sequence}")
        if previous_hash is not None:
            self._verify_link(sequence, previous_hash)
        self.sequence, self._hash = sequence, hash
        kept = self._kept.get(sequence)
        if sequence == self._checkpoint.sequence and hash != self._checkpoint.hash:
            raise FoundError(FindingKind.FORKED, "the checkpoint names another hash for the last entry")
        if kept and hash != kept["hash"]:
            raise FoundError(FindingKind.FORKED, "a restore statement names another hash for this entry")

    def _put(self, sequence: int, hash: str, given: Range) -> None:
        expected = self._expected
        reason = f"entry {expected} should be here"
        if sequence > expected or expected > given.last:
            kind = FindingKind.REMOVED if sequence > expected else FindingKind.INSERTED
            raise FoundError(kind, reason, sequence=expected, id=None)
        if sequence < expected:
            raise FoundError(FindingKind.REORDERED, reason)
        self._tree.append(leaf_hash(bytes.fromhex(hash)))

    def _verify_link(self, sequence: int, previous_hash: str) -> None:
        if self.sequence and sequence == self.sequence + 1 and previous_hash != self._hash:
            raise FoundError(FindingKind.FORKED, "its previous hash is not the hash of the entry before it")
        if sequence == 1 and previous_hash != genesis(self._checkpoint.workspace).hash:
            raise FoundError(FindingKind.GENESIS, "the log begins at another genesis")

    def _begin(self, given: Range) -> None:
        if self._range is not None or self.sequence:
            raise UnusableInputError("A range line must come once, before the entries.")
        first, last = self._checkpoint.first, self._checkpoint.sequence
        with _at(sequence=given.first, record="range"):
            if (given.workspace, given.origin) != (self._checkpoint.workspace, self._checkpoint.origin):
                raise FoundError(FindingKind.BAD_PROOF, "the range is of another log")
            if given.size != self._head.size or not first <= given.first <= given.last <= last:
                raise FoundError(FindingKind.BAD_PROOF, "the range is not one of the signed tree")
            try:
                self._tree = CompactRange(given.first - first, map(hash_from_hex, given.left))
            except ProofError as error:
                raise FoundError(FindingKind.BAD_PROOF, str(error)) from None
            if len(given.right) != sum(1 for _ in subtrees(given.last - first + 1, given.size)):
                raise FoundError(FindingKind.BAD_PROOF, "the hashes beside the range do not fit its size")
        self._range = given

    def _verify_proof(self, event: Event) -> None:
        """Verify the proof that a single entry is in the signed tree. Raises FoundError."""
        sequence, index = event.sequence, event.sequence - self._checkpoint.first
        if sequence not in self._archive.proved:
            raise FoundError(FindingKind.UNSIGNED, "neither a proof nor a range covers it")
        text, leaf = self._archive.text(proof_name(sequence)), self._archive.content(leaf_name(sequence))
        try:
            given = ProofFile.parse(text)
            if given.index != index:
                raise ProofError("it is of another entry")
            if leaf != bytes.fromhex(event.hash):
                raise ProofError("its leaf is not the hash of the entry")
            size, root = self._head.size, self._head.root
            verify_inclusion(index=index, size=size, leaf=leaf_hash(leaf), proof=given.proof, root=root)
        except (FormatError, ProofError) as error:
            raise FoundError(FindingKind.BAD_PROOF, f"the proof of entry {sequence}: {error}") from None
        if parsed_note(given.checkpoint)[0].text != self._note_text:
            raise FoundError(FindingKind.BAD_PROOF, f"the proof of entry {sequence} is of another checkpoint")


@contextmanager
def _at(**place: Any) -> Iterator[None]:
    """Name the place of what is found within."""
    try:
        yield
    except FoundError as error:
        raise FoundError(error.kind, error.reason, **{**place, **error.place}) from None
