"""A tree head as the text of a signed note (C2SP tlog-checkpoint), without extension lines.

<origin>
<size, decimal>
<root, base64>
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mcpbridge.audit.tree.encoding import decimal, hash_from_base64, to_base64
from mcpbridge.audit.tree.errors import FormatError, ProofError
from mcpbridge.audit.tree.merkle import EMPTY_ROOT, HASH_SIZE
from mcpbridge.audit.tree.notes import Note, Signer, VerifierKey, cosigned_at, is_key_name, open_note, signature_line


@dataclass(frozen=True, slots=True)
class TreeHead:
    """The size and root (32 bytes) of the tree of the log `origin`."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        """Refuse a head that no tree has. Raises FormatError."""
        if not is_key_name(self.origin) or self.size < 0 or len(self.root) != HASH_SIZE:
            raise FormatError("it is not the head of a tree")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise FormatError("an empty tree has another root")

    @property
    def text(self) -> str:
        """Return the text of the note."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> "TreeHead":
        """Read the text of a note. Raises FormatError, also for extension lines."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[-1]:
            raise FormatError("the checkpoint does not have three lines")
        return cls(lines[0], decimal(lines[1]), hash_from_base64(lines[2]))

    def signed(self, signer: Signer) -> str:
        """Return the note, signed under the name of the origin."""
        return str(Note(self.text, (signature_line(self.text, name=self.origin, signer=signer),)))


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A verified tree head. `cosigned` has the time of each cosigner whose line is valid, in seconds since 1970."""

    head: TreeHead
    note: Note
    cosigned: dict[VerifierKey, int]


def open_checkpoint(data: bytes | str, key: VerifierKey, *, cosigners: Sequence[VerifierKey] = ()) -> SignedHead:
    """Return the tree head of a note that is signed by `key`, whose name must be the origin.

    Raises FormatError and ProofError, also if a line of a given cosigner is wrong; a missing one is not an error.
    """
    note = open_note(data, key, others=cosigners)
    head = TreeHead.parse(note.text)
    if head.origin != key.name:
        raise ProofError("the checkpoint is of another origin than its key")
    times = {cosigner: cosigned_at(found) for cosigner, found in note.signatures(cosigners).items()}
    return SignedHead(head, note, times)
