"""What evidence needs of one workspace's log: its newest signed tree, and the nodes that proofs are made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from mcpbridge.audit.tree.checkpoints import TreeHead
from mcpbridge.audit.tree.proofs import Nodes
from mcpbridge.audit.tree.statements import CheckpointStatement


class EvidenceUnavailableError(Exception):
    """No evidence can be made now. The text may be shown to users."""


@dataclass(frozen=True, slots=True)
class ProvenLog:
    """A log at one signed checkpoint.

    `note` is the checkpoint as a signed note, with `cosignatures` by witnesses; `oldest` the note of the oldest one of
    this origin that is stored. `nodes` are not believed: each proof is verified before it leaves. `restores` are
    lines of an export; `old` is the last entry in format 1, 0 if there is none.
    """

    statement: CheckpointStatement
    note: str
    key_id: str
    signature: str
    fingerprint: str
    nodes: Nodes
    sign: Callable[[bytes], tuple[str, str]]
    reason: str = "demand"
    oldest: str = ""
    cosignatures: int = 0
    restores: Sequence[bytes] = ()
    old: int = 0

    @property
    def statement_line(self) -> bytes:
        """The checkpoint as a line of an export, without its note."""
        signed = {"key_id": self.key_id, "signature": self.signature, "reason": self.reason}
        line = {"type": "checkpoint", **self.statement.as_dict(), **signed}
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    @property
    def head(self) -> TreeHead:
        """The origin, size and root of the signed tree."""
        return self.statement.head

    @property
    def first(self) -> int:
        """The entry that is leaf 0."""
        return self.statement.parts.first

    @property
    def last(self) -> int:
        """The last entry that the tree covers."""
        return self.statement.sequence
