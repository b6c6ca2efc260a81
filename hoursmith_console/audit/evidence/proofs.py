"""Make the proofs that evidence contains, each verified against the signed root before it is returned."""

from collections.abc import Sequence

import orjson

from hoursmith_console.audit.evidence.log import EvidenceUnavailableError, ProvenLog
from mcpbridge.audit.tree.checkpoints import TreeHead
from mcpbridge.audit.tree.encoding import from_base64, to_base64
from mcpbridge.audit.tree.errors import TreeError
from mcpbridge.audit.tree.merkle import CompactRange, fold, leaf_hash, node_hash, subtrees
from mcpbridge.audit.tree.notes import VerifierKey, parse_note
from mcpbridge.audit.tree.proof_files import ProofFile
from mcpbridge.audit.tree.proofs import consistency_proof, inclusion_proof, verify_consistency, verify_inclusion
from mcpbridge.audit.tree.ranges import RangeProof, range_proof

_CONSISTENCY = "hoursmith-consistency-1"
_DISAGREES = "The stored tree does not agree with the signed one, so it proves nothing. Tell the operator."


class OlderCheckpointError(Exception):
    """The given older checkpoint cannot be used. The text may be shown to users."""


def inclusion(log: ProvenLog, sequence: int, hash: str) -> str:
    """Return the proof that the entry `sequence` has this hash, as a file. Raises EvidenceUnavailableError."""
    head, index = log.head, sequence - log.first
    try:
        proof = inclusion_proof(log.nodes, index, head.size)
        leaf = leaf_hash(bytes.fromhex(hash))
        verify_inclusion(index=index, size=head.size, leaf=leaf, proof=proof, root=head.root)
    except TreeError as error:
        raise EvidenceUnavailableError(_DISAGREES) from error
    return str(ProofFile(index, tuple(proof), log.note))


def range_beside(log: ProvenLog, first: int, last: int) -> RangeProof:
    """Return what is beside the entries `first` to `last`; `RangeCheck` verifies it with their hashes."""
    try:
        return range_proof(log.nodes, first - log.first, last - log.first, log.head.size)
    except TreeError as error:
        raise EvidenceUnavailableError(_DISAGREES) from error


def range_line(log: ProvenLog, proof: RangeProof) -> bytes:
    """Return the line of `entries.jsonl` that proves the entries behind it."""
    return orjson.dumps(
        {
            **proof.as_dict(),
            "workspace": log.statement.parts.workspace,
            "origin": log.head.origin,
            "first": proof.first + log.first,
            "last": proof.last + log.first,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


class RangeCheck:
    """Take the hashes of a range's entries as they are written; `finish` compares them with the signed root."""

    def __init__(self, log: ProvenLog, proof: RangeProof) -> None:
        self._log, self._proof = log, proof
        self._filled = CompactRange(proof.first, proof.left)

    def add(self, hash: str) -> None:
        """Take the hash of the next entry, in hexadecimal."""
        self._filled.append(leaf_hash(bytes.fromhex(hash)))

    def finish(self) -> None:
        """Raise EvidenceUnavailableError unless exactly these entries lead to the signed root."""
        filled, proof = self._filled, self._proof
        if filled.size != proof.last + 1 or _root(filled, proof) != self._log.head.root:
            raise EvidenceUnavailableError(_DISAGREES)


def _root(filled: CompactRange, proof: RangeProof) -> bytes:
    nodes = [(*place, hash) for place, hash in zip(subtrees(0, filled.size), filled.nodes, strict=True)]
    for (level, index), hash in zip(subtrees(filled.size, proof.size), proof.right, strict=True):
        while index & 1 and nodes and nodes[-1][0] == level:
            hash = node_hash(nodes.pop()[2], hash)
            level, index = level + 1, index >> 1
        nodes.append((level, index, hash))
    return fold([hash for _, _, hash in nodes])


def consistency(log: ProvenLog, older: str) -> str:
    """Return the proof that the log continues the checkpoint `older`, a note, as a file.

    Raises EvidenceUnavailableError.
    """
    try:
        before, head = TreeHead.parse(parse_note(older).text), log.head
        proof = consistency_proof(log.nodes, before.size, head.size)
        verify_consistency(
            older=before.size, newer=head.size, older_root=before.root, newer_root=head.root, proof=proof
        )
    except TreeError as error:
        raise EvidenceUnavailableError(_DISAGREES) from error
    lines = [_CONSISTENCY, *map(to_base64, proof), "", older]
    return "\n".join(lines)


def checked_older(log: ProvenLog, text: str, public_keys: Sequence[str]) -> str:
    """Return the note of an older checkpoint that a receiver kept, in its one spelling.

    Raises OlderCheckpointError, also where the log does not continue it, which is a finding about the log.
    """
    try:
        note = parse_note(text.replace("\r\n", "\n").strip() + "\n")
        head = TreeHead.parse(note.text)
    except TreeError as error:
        raise OlderCheckpointError(
            f"This is no checkpoint: {error}. Paste the whole file “checkpoint”, with its last line."
        ) from None
    if head.origin != log.head.origin:
        raise OlderCheckpointError(f"This checkpoint is of another log, {head.origin}; this one is {log.head.origin}.")
    keys = [VerifierKey(head.origin, from_base64(key, size=32)) for key in public_keys]
    try:
        is_signed = bool(note.signatures(keys))
    except TreeError:
        is_signed = False
    if not is_signed:
        raise OlderCheckpointError("This checkpoint has no valid signature by a key of this log.")
    if not 0 < head.size <= log.head.size:
        raise OlderCheckpointError(
            f"This checkpoint is of a log with {head.size:,} entries; this one has {log.head.size:,}. If it is really"
            " of this log, entries are missing here: keep it, and tell the operator."
        )
    try:
        consistency(log, str(note))
    except EvidenceUnavailableError:
        raise OlderCheckpointError(
            f"The log does not continue this checkpoint: its first {head.size:,} entries are not the ones that were"
            " signed. Keep the checkpoint, and tell the operator."
        ) from None
    return str(note)
