"""One inclusion proof with its checkpoint as a text (C2SP tlog-proof), for files named `*.tlog-proof`."""

from dataclasses import dataclass

from mcpbridge.audit.tree.encoding import decimal, hash_from_base64, to_base64
from mcpbridge.audit.tree.errors import FormatError
from mcpbridge.audit.tree.notes import MOST_BYTES

_FIRST = "c2sp.org/tlog-proof@v1"
_MOST_HASHES = 63


@dataclass(frozen=True, slots=True)
class ProofFile:
    """The index of a leaf, its proof from the sibling upwards, and the signed note of the tree; nothing is verified."""

    index: int
    proof: tuple[bytes, ...]
    checkpoint: str

    def __str__(self) -> str:
        hashes = "".join(f"{to_base64(hash)}\n" for hash in self.proof)
        return f"{_FIRST}\nindex {self.index}\n{hashes}\n{self.checkpoint}"

    @classmethod
    def parse(cls, text: str) -> "ProofFile":
        """Read a proof. Raises FormatError; the `extra` line, which nothing authenticates, is refused."""
        if len(text) > 2 * MOST_BYTES:
            raise FormatError("the proof is too long")
        above, divider, checkpoint = text.partition("\n\n")
        lines = above.split("\n")
        if not divider or len(lines) < 2 or lines[0] != _FIRST or not lines[1].startswith("index "):
            raise FormatError("it is not a tlog-proof")
        if len(lines) > _MOST_HASHES + 2:
            raise FormatError("the proof has too many hashes")
        index = decimal(lines[1].removeprefix("index "))
        return cls(index, tuple(hash_from_base64(line) for line in lines[2:]), checkpoint)
