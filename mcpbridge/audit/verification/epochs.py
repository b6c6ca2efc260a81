"""The epochs of one log, from the statements of restores and lost keys (`docs/audit-format.md`, section 9)."""

from collections.abc import Iterator
from typing import Any

from mcpbridge.audit.hashchain import FORMAT
from mcpbridge.audit.tree.errors import FormatError
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.verification.findings import FindingKind, FoundError
from mcpbridge.audit.verification.records import Event, Restore
from mcpbridge.audit.verification.trust import Trust

Log = tuple[str, str, int]


class Epochs:
    """Knows which epoch each row of a log belongs to, and which checkpoints were given up."""

    def __init__(self, workspace: str) -> None:
        """Begin with a log that was never restored."""
        self._workspace = workspace
        self._restores: dict[int, Restore] = {}
        # All origins of a log differ in the epoch alone.
        self._log: Log | None = None

    def __len__(self) -> int:
        return len(self._restores)

    @property
    def first(self) -> int | None:
        """Return the row that is the first leaf of the tree, if any origin is known."""
        return self._log[2] if self._log else None

    def learn(self, trust: Trust, restore: Restore) -> None:
        """Take a statement into account. Raises FoundError."""
        if restore.is_key_lost:
            trust.learn_break(restore)
        trust.verify(restore.key_id, restore.message(), restore.signature)
        try:
            old, new = Origin.parse(restore.old_origin), Origin.parse(restore.to)
        except FormatError as error:
            raise _bad(f"it names no origin: {error}") from None
        self.refuse_other_log(old)
        self.refuse_other_log(new)
        if new.epoch != old.epoch + 1 or restore.workspace != self._workspace:
            raise _bad(f"{restore.to} does not follow {restore.old_origin}")
        if not new.first - 1 <= restore.kept["sequence"] <= restore.given_up["sequence"]:
            raise _bad("it keeps rows that were not there")
        if self._restores.setdefault(new.epoch, restore) != restore:
            raise _bad(f"two statements lead to {restore.to}")

    def refuse_other_log(self, origin: Origin) -> None:
        """Raise FoundError unless the origin is one of this log."""
        log = (origin.log_name, origin.workspace, origin.first)
        self._log = self._log or log
        if log != self._log or origin.workspace != self._workspace:
            raise _bad(f"{origin} is the origin of another log")

    def epoch_of(self, event: Event, before: int) -> int:
        """Return the epoch of a valid row, 0 for format 1; `before` is that of the last row. Raises FoundError."""
        assert event.facts is not None  # noqa: S101 - its hash is valid
        if event.facts["format"] == FORMAT:
            if before:
                raise _bad("it is of format 1, an earlier row of format 2")
            return 0
        kept = [epoch for epoch, restore in self._restores.items() if restore.kept["sequence"] < event.sequence]
        expected, found = max(kept, default=1), event.facts["epoch"]
        if found != expected:
            raise _bad(f"it says epoch {found}, but rows here are of epoch {expected}")
        return expected

    def is_given_up(self, origin: Origin, sequence: int) -> bool:
        """Return whether a restore gave up this head of an old origin. Raises FoundError if it fits nowhere."""
        self.refuse_other_log(origin)
        later = list(self._later(origin.epoch))
        if origin.epoch != 1 and origin.epoch not in self._restores and not later:
            raise _bad(f"no restore statement leads to {origin}")
        own = self._restores.get(origin.epoch)
        if own and sequence < own.kept["sequence"]:
            raise _bad(f"{origin} begins after row {own.kept['sequence']}")
        if all(sequence <= restore.kept["sequence"] for restore in later):
            return False
        left = next((restore for restore in later if restore.old_origin == str(origin)), None)
        if left and sequence > left.given_up["sequence"]:
            raise _bad(f"{origin} ended at row {left.given_up['sequence']}")
        return True

    def refuse_given_up(self, origin: Origin, sequence: int) -> None:
        """Raise FoundError if the rows under an older checkpoint that was kept elsewhere were given up."""
        if self.is_given_up(origin, sequence):
            restore = min(self._later(origin.epoch), key=lambda each: int(each.kept["sequence"]))
            reason = f"rows {restore.kept['sequence'] + 1} to {sequence} of {origin} were given up on {restore.at}"
            raise FoundError(FindingKind.BAD_EPOCH, f"{reason}: {restore.reason}", until=sequence)

    def origins(self) -> set[str]:
        """Return the origins that restores lead from."""
        return {restore.old_origin for restore in self._restores.values()}

    def heads(self) -> dict[int, dict[str, Any]]:
        """Return the heads that restores kept and no later one gave up, by sequence."""
        found = {}
        for epoch, restore in self._restores.items():
            place = restore.kept["sequence"]
            if all(place <= other.kept["sequence"] for other in self._later(epoch)):
                found[place] = restore.kept
        return found

    def as_list(self) -> list[dict[str, Any]]:
        """Return what was given up, in JSON types."""
        return [
            {
                "epoch": epoch,
                "kept": restore.kept["sequence"],
                "given_up_to": restore.given_up["sequence"],
                "at": restore.at,
                "reason": restore.reason,
                "is_key_lost": restore.is_key_lost,
            }
            for epoch, restore in sorted(self._restores.items())
        ]

    def _later(self, epoch: int) -> Iterator[Restore]:
        yield from (restore for number, restore in sorted(self._restores.items()) if number > epoch)


def _bad(reason: str) -> FoundError:
    return FoundError(FindingKind.BAD_EPOCH, reason)
