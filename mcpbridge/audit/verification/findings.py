"""Results of a verification: for each chain, the verified range or the first problem."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class FindingKind(StrEnum):
    """How a chain was tampered with; `docs/audit-format.md` defines each kind."""

    EDITED = "edited"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    CUT = "cut-tail"
    FORKED = "forked"
    WRONG_KEY = "wrong-key"
    UNKNOWN_KEY = "unknown-key"
    RETIRED_KEY = "retired-key"
    UNSIGNED = "unsigned"
    REPLACED = "replaced"
    GENESIS = "other-genesis"
    BAD_PROOF = "bad-proof"
    BAD_SALT = "bad-salt"
    BAD_EPOCH = "bad-epoch"
    INCONSISTENT = "inconsistent"


class Unsigned(StrEnum):
    """Which rows may lie under no checkpoint: none, those after the last one, or all of a log not signed yet."""

    REFUSED = "refused"
    TAIL = "tail"
    ALLOWED = "allowed"


@dataclass(frozen=True, slots=True)
class Finding:
    """The first problem of a chain.

    `sequence` is the position, `id` the row there; None if there is no row, or if a checkpoint or cut is at fault
    (`record`). `until` is the end of the range, if there is one.
    """

    kind: FindingKind
    workspace: str
    sequence: int
    id: str | None
    reason: str
    record: str = "event"
    until: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it in JSON types."""
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
    """Result for one workspace; `sequence` and `hash` are those of its last valid row.

    `behind` is the cut after which the chain begins, or 0; `vouched` the last row confirmed by a checkpoint or an
    external head, or 0; `left_out` the number of rows that a filter omitted from the export, `withheld` of those of
    which only hashes are given. `epoch` is that of the last row, 0 for format 1. `cosigned` says which of the given
    witnesses saw which row, `restores` what was given up, and `warnings` where times go back.
    """

    workspace: str
    rows: int = 0
    checkpoints: int = 0
    behind: int = 0
    sequence: int = 0
    hash: str = ""
    vouched: int = 0
    left_out: int = 0
    withheld: int = 0
    epoch: int = 0
    cosigned: list[dict[str, Any]] = field(default_factory=list)
    restores: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    finding: Finding | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it in JSON types."""
        return {
            "workspace": self.workspace,
            "rows": self.rows,
            "checkpoints": self.checkpoints,
            "behind": self.behind,
            "sequence": self.sequence,
            "hash": self.hash,
            "vouched": self.vouched,
            "left_out": self.left_out,
            "withheld": self.withheld,
            "epoch": self.epoch,
            "cosigned": self.cosigned,
            "restores": self.restores,
            "warnings": self.warnings,
            "bad": self.finding.as_dict() if self.finding else None,
        }


@dataclass(slots=True)
class VerificationReport:
    """Result for all chains, in the order of the input. `nothing` is set if there should be a chain and is none.

    `evidence` is what evidence says about its making, in JSON types.
    """

    chains: list[ChainReport] = field(default_factory=list)
    is_partial: bool = False
    nothing: Finding | None = None
    evidence: dict[str, Any] | None = None

    @property
    def is_ok(self) -> bool:
        """Return whether every chain is valid."""
        return self.first_bad is None

    @property
    def first_bad(self) -> Finding | None:
        """Return the finding of the first invalid chain, or that there is no chain at all; None if all is well."""
        return next((chain.finding for chain in self.chains if chain.finding), self.nothing)

    @property
    def rows(self) -> int:
        """Return the total number of rows."""
        return sum(chain.rows for chain in self.chains)

    def as_dict(self) -> dict[str, Any]:
        """Return it in JSON types, as the standalone verifier prints it."""
        bad = self.first_bad
        return {
            "ok": self.is_ok,
            "partial": self.is_partial,
            "workspaces": [chain.as_dict() for chain in self.chains],
            "bad": bad.as_dict() if bad else None,
            **({"evidence": self.evidence} if self.evidence else {}),
        }


class FoundError(Exception):
    """Something is not as it must be: the kind of the finding and the reason.

    `place` may name `sequence`, `id`, `record` and `until` where they are not those of the record at hand.
    """

    def __init__(self, kind: FindingKind, reason: str, **place: Any) -> None:
        """Name the finding."""
        super().__init__(reason)
        self.kind, self.reason, self.place = kind, reason, place


class UnusableInputError(Exception):
    """The input cannot be verified at all. The text says why."""
