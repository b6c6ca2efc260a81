"""Verify the note beside the statement of a checkpoint: both must state one head, signed by one key."""

from collections.abc import Iterable, Sequence

from mcpbridge.audit.tree.checkpoints import TreeHead
from mcpbridge.audit.tree.encoding import from_base64, hash_from_hex
from mcpbridge.audit.tree.errors import FormatError, ProofError
from mcpbridge.audit.tree.notes import Note, VerifierKey, cosigned_at, parse_note
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.verification.findings import FindingKind, FoundError
from mcpbridge.audit.verification.records import Checkpoint


def origin_of(checkpoint: Checkpoint) -> Origin:
    """Return the origin of a checkpoint of format 2, with which the rest of it agrees. Raises FoundError."""
    try:
        origin = Origin.parse(checkpoint.origin)
    except FormatError as error:
        raise FoundError(FindingKind.BAD_EPOCH, f"{checkpoint.origin}: {error}") from None
    if (checkpoint.workspace, checkpoint.epoch, checkpoint.first) != (origin.workspace, origin.epoch, origin.first):
        reason = f"the origin {origin} is not that of its workspace, epoch and first row"
        raise FoundError(FindingKind.BAD_EPOCH, reason)
    return origin


def tree_head(checkpoint: Checkpoint) -> TreeHead:
    """Return the head of the tree that a checkpoint of format 2 states. Raises FoundError."""
    origin = origin_of(checkpoint)
    try:
        hash_from_hex(checkpoint.hash)
        return TreeHead(checkpoint.origin, checkpoint.sequence - origin.first + 1, hash_from_hex(checkpoint.root))
    except FormatError as error:
        raise FoundError(FindingKind.BAD_PROOF, str(error)) from None


def parsed_note(text: str) -> tuple[Note, TreeHead]:
    """Read a note and the tree head that it states; nothing is verified. Raises FoundError."""
    try:
        note = parse_note(text)
        head = TreeHead.parse(note.text)
    except FormatError as error:
        raise FoundError(FindingKind.BAD_PROOF, f"its note is malformed: {error}") from None
    try:
        Origin.parse(head.origin)
    except FormatError as error:
        raise FoundError(FindingKind.BAD_PROOF, f"its note names no origin: {error}") from None
    return note, head


def signers(note: Note, name: str, public_keys: Iterable[str]) -> list[str]:
    """Return which of these keys (base64) signed a note under this name. Raises FoundError if a line is wrong."""
    keys = {VerifierKey(name, from_base64(key, size=32)): key for key in public_keys}
    try:
        return [keys[key] for key in note.signatures(keys)]
    except ProofError as error:
        raise FoundError(FindingKind.WRONG_KEY, str(error)) from None


def verify_note(
    checkpoint: Checkpoint, public_key: str, line: Sequence[str], witnesses: Sequence[VerifierKey]
) -> dict[str, int]:
    """Verify the note of a checkpoint whose statement `public_key` signed, and return when which witnesses cosigned.

    `line` are all trusted keys: no line of one may be wrong. Raises FoundError.
    """
    head = tree_head(checkpoint)
    if not checkpoint.note:
        raise FoundError(FindingKind.BAD_PROOF, "its note is missing")
    note, stated = parsed_note(checkpoint.note)
    if stated != head:
        raise FoundError(FindingKind.INCONSISTENT, "the checkpoint and its note state two heads")
    if public_key not in signers(note, checkpoint.origin, line):
        raise FoundError(FindingKind.WRONG_KEY, "the note is not signed by the key of the checkpoint")
    try:
        return {key.name: cosigned_at(found) for key, found in note.signatures(witnesses).items()}
    except ProofError as error:
        raise FoundError(FindingKind.WRONG_KEY, str(error)) from None
