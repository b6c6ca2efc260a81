"""What a verifier says: that a chain holds and how far that is vouched for, or where it first does not."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What happened to the record. `docs/audit-format.md` says by which signs each is told."""

    EDITED = "edited"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    CUT = "cut tail"
    FORKED = "forked"
    WRONG_KEY = "wrong key"
    REPLACED = "replaced"
    GENESIS = "other genesis"


@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing wrong with a chain.

    `sequence` is the place in the chain, and `id` the row that stands there, None where no row does or where it is
    not a row that is wrong but a `checkpoint` or a `cut` (`record`). `until` ends the range where it is one.
    """

    kind: Kind
    workspace: str
    sequence: int
    id: str | None
    reason: str
    record: str = "event"
    until: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """In JSON's types."""
        return {
            "kind": self.kind.value,
            "workspace": self.workspace,
            "sequence": self.sequence,
            "id": self.id,
            "record": self.record,
            "until": self.until,
            "reason": self.reason,
        }


@dataclass(slots=True)
class ChainReport:
    """What was seen of one workspace's chain. `sequence` and `hash` are those of its last row that holds.

    `behind` is the cut at which it begins, 0 where that is its genesis; `vouched` the last row that a checkpoint (or
    a head from outside) agrees with, 0 where there is none; `left_out` the rows that a filter kept out of an export.
    """

    workspace: str
    rows: int = 0
    checkpoints: int = 0
    behind: int = 0
    sequence: int = 0
    hash: str = ""
    vouched: int = 0
    left_out: int = 0
    finding: Finding | None = None

    def as_dict(self) -> dict[str, Any]:
        """In JSON's types."""
        return {
            "workspace": self.workspace,
            "rows": self.rows,
            "checkpoints": self.checkpoints,
            "behind": self.behind,
            "sequence": self.sequence,
            "hash": self.hash,
            "vouched": self.vouched,
            "left_out": self.left_out,
            "bad": self.finding.as_dict() if self.finding else None,
        }


@dataclass(slots=True)
class Verdict:
    """What was seen of all chains, in the order in which they came."""

    chains: list[ChainReport] = field(default_factory=list)
    is_partial: bool = False

    @property
    def is_ok(self) -> bool:
        """Whether every chain holds."""
        return all(chain.finding is None for chain in self.chains)

    @property
    def first_bad(self) -> Finding | None:
        """What is wrong with the first chain that does not hold."""
        return next((chain.finding for chain in self.chains if chain.finding), None)

    @property
    def rows(self) -> int:
        """Rows seen in all."""
        return sum(chain.rows for chain in self.chains)

    def as_dict(self) -> dict[str, Any]:
        """In JSON's types; the stand-alone verifier prints the same."""
        bad = self.first_bad
        return {
            "ok": self.is_ok,
            "partial": self.is_partial,
            "workspaces": [chain.as_dict() for chain in self.chains],
            "bad": bad.as_dict() if bad else None,
        }


class UnusableInputError(Exception):
    """What was given cannot be verified at all, for better or worse. The text says why."""
