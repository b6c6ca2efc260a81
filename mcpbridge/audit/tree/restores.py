"""The statements with which a log continues under the next origin: after a restore, or after its key was lost.

Entries up to `kept` keep their place in the new tree. `given_up` is the last head that was signed under the old origin.
"""

from dataclasses import dataclass
from typing import Any

from mcpbridge.audit.hashchain import canonical
from mcpbridge.audit.tree.errors import FormatError
from mcpbridge.audit.tree.origins import Origin

RESTORE_FORMAT = "hoursmith-restore-1"
BREAK_FORMAT = "hoursmith-break-1"


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The head of a chain and of its tree; `hash` and `root` are hexadecimal."""

    sequence: int
    hash: str
    root: str

    def as_dict(self) -> dict[str, Any]:
        """Return the members in JSON types."""
        return {"sequence": self.sequence, "hash": self.hash, "root": self.root}


@dataclass(frozen=True, slots=True)
class LostKey:
    """A signing key that was lost, and the one that follows it, both in base64."""

    lost: str
    public_key: str


@dataclass(frozen=True, slots=True)
class EpochStatement:
    """What is signed when an epoch begins; `at` is an instant with six decimals."""

    origin: Origin
    given_up: ChainHead
    kept: ChainHead
    at: str
    reason: str
    lost_key: LostKey | None = None

    def __post_init__(self) -> None:
        """Refuse what no verifier accepts. Raises FormatError."""
        if not self.origin.first - 1 <= self.kept.sequence <= self.given_up.sequence:
            raise FormatError("a log cannot keep entries that it never had")

    @property
    def to(self) -> Origin:
        """Return the origin that begins."""
        old = self.origin
        return Origin(old.log_name, old.workspace, old.epoch + 1, old.first)

    @property
    def message(self) -> bytes:
        """Return what is signed."""
        return canonical(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Return the members in JSON types."""
        lost = self.lost_key
        return {
            "format": BREAK_FORMAT if lost else RESTORE_FORMAT,
            "workspace": self.origin.workspace,
            "at": self.at,
            "reason": self.reason,
            "from": {"origin": str(self.origin), **self.given_up.as_dict()},
            "kept": self.kept.as_dict(),
            "to": str(self.to),
            **({"lost": lost.lost, "public_key": lost.public_key} if lost else {}),
        }
