"""The signed statements of format 2: one line of JSON in the RFC 8785 form.

One Ed25519 key signs statements and notes. A statement begins with `{` and has no newline; a note begins with an
origin and ends in one, so that neither is ever valid as the other.
"""

from dataclasses import dataclass
from typing import Any

from mcpbridge.audit.hashchain import canonical
from mcpbridge.audit.tree.checkpoints import TreeHead
from mcpbridge.audit.tree.encoding import hash_from_hex
from mcpbridge.audit.tree.errors import FormatError, ProofError
from mcpbridge.audit.tree.origins import Origin

CHECKPOINT_FORMAT = "hoursmith-checkpoint-2"
KEY_FORMAT = "hoursmith-key-2"


@dataclass(frozen=True, slots=True)
class CheckpointStatement:
    """A checkpoint of format 2. `hash` and `root` are hexadecimal, `at` is an instant with six decimals.

    `sequence` is that of the last row, `first` that of leaf 0; `first` - 1 if there is no row yet.
    """

    origin: str
    sequence: int
    hash: str
    root: str
    at: str

    @property
    def parts(self) -> Origin:
        """Return the parts of the origin, which name workspace, epoch and first row. Raises FormatError."""
        return Origin.parse(self.origin)

    @property
    def message(self) -> bytes:
        """Return what is signed."""
        return canonical(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Return the members in JSON types."""
        parts = self.parts
        return {
            "format": CHECKPOINT_FORMAT,
            "workspace": parts.workspace,
            "epoch": parts.epoch,
            "first": parts.first,
            "origin": self.origin,
            "sequence": self.sequence,
            "hash": self.hash,
            "root": self.root,
            "at": self.at,
        }

    @property
    def head(self) -> TreeHead:
        """Return the tree head that the note must state. Raises FormatError."""
        size = self.sequence - self.parts.first + 1
        return TreeHead(self.origin, size, hash_from_hex(self.root))

    def refuse_other(self, head: TreeHead) -> None:
        """Raise ProofError unless a note beside this statement states the same tree head."""
        if head != self.head:
            raise ProofError("the checkpoint and its note disagree")

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> "CheckpointStatement":
        """Read a statement from its members; others are ignored. Raises FormatError."""
        texts = [found.get(name) for name in ("origin", "hash", "root", "at")]
        if found.get("format") != CHECKPOINT_FORMAT or not all(isinstance(text, str) for text in texts):
            raise FormatError("it is not a checkpoint of format 2")
        if type(found.get("sequence")) is not int:
            raise FormatError("the sequence is not a whole number")
        made = cls(found["origin"], sequence=found["sequence"], hash=found["hash"], root=found["root"], at=found["at"])
        hash_from_hex(made.hash)
        signed = made.as_dict()
        if any(type(found.get(name)) is not type(signed[name]) or found[name] != signed[name] for name in signed):
            raise FormatError("the origin names another workspace, epoch or first row")
        made.head  # noqa: B018  # It raises for a head that no tree has.
        return made


def key_statement(*, public_key: str, predecessor: str, since: str, use: str = "signing") -> bytes:
    """Return the announcement of a key, which the predecessor and the key itself sign; both keys in base64.

    `use` is `signing`, or `recovery` for a key that may announce the next one when the signing key is lost.
    """
    return canonical(
        {"format": KEY_FORMAT, "predecessor": predecessor, "public_key": public_key, "since": since, "use": use}
    )
