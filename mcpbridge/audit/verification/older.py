"""A checkpoint that a user kept elsewhere, which the log must extend."""

from dataclasses import dataclass

from mcpbridge.audit.tree.notes import Note
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.verification.findings import FindingKind, FoundError, UnusableInputError
from mcpbridge.audit.verification.records import Checkpoint
from mcpbridge.audit.verification.signed_notes import origin_of, parsed_note, signers, tree_head
from mcpbridge.audit.verification.trust import Trust


@dataclass(frozen=True, slots=True)
class OlderCheckpoint:
    """The head that a kept checkpoint states: `hash` only if it is a statement, `origin` and `root` not in format 1."""

    workspace: str
    sequence: int
    hash: str = ""
    root: str = ""
    origin: Origin | None = None
    note: Note | None = None
    statement: Checkpoint | None = None

    @property
    def size(self) -> int:
        """Return the size of the tree."""
        return self.sequence - (self.origin.first if self.origin else 1) + 1

    @property
    def first(self) -> int | None:
        """Return the row that is the first leaf of the tree; None in format 1."""
        return self.origin.first if self.origin else None

    @classmethod
    def from_note(cls, text: str) -> "OlderCheckpoint":
        """Read a note; its signature is not verified. Raises FoundError."""
        note, head = parsed_note(text)
        origin = Origin.parse(head.origin)
        place = origin.first + head.size - 1
        return cls(origin.workspace, place, root=head.root.hex(), origin=origin, note=note)

    @classmethod
    def from_statement(cls, said: Checkpoint) -> "OlderCheckpoint":
        """Take the checkpoint of a line; its signature is not verified. Raises FoundError."""
        if not said.origin:
            return cls(said.workspace, said.sequence, said.hash, statement=said)
        tree_head(said)
        return cls(said.workspace, said.sequence, said.hash, said.root, origin=origin_of(said), statement=said)

    def verify(self, trust: Trust) -> None:
        """Raise FoundError unless a key of the line signed it."""
        if self.statement is not None:
            trust.verify(self.statement.key_id, self.statement.message(), self.statement.signature)
        if self.note is not None and not signers(self.note, str(self.origin), trust.public_keys()):
            raise FoundError(FindingKind.UNKNOWN_KEY, "no key of the trusted line signed the older checkpoint")

    def refuse_unsigned(self, trust: Trust) -> None:
        """Raise UnusableInputError unless a key of the line signed it."""
        try:
            self.verify(trust)
        except FoundError as error:
            raise UnusableInputError(f"The given checkpoint cannot be used: {error}.") from None
