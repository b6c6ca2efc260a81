"""Verify audit chains in one pass and constant memory, and report the first problem of each.

`docs/audit-format.md` specifies what is checked, in which order, and what each finding means. `docs/verify_audit.py`
is an independent implementation in one file, for users who do not trust this one.
"""

from collections.abc import Callable, Iterable

from mcpbridge.audit.hashchain import genesis
from mcpbridge.audit.verification.claims import OutsideHead
from mcpbridge.audit.verification.findings import (
    ChainReport,
    Finding,
    FindingKind,
    Unsigned,
    UnusableInputError,
    VerificationReport,
)
from mcpbridge.audit.verification.key_files import trust_from_text
from mcpbridge.audit.verification.older import OlderCheckpoint
from mcpbridge.audit.verification.records import Checkpoint, Event, Key, Range, Record, Restore
from mcpbridge.audit.verification.trust import Trust
from mcpbridge.audit.verification.walker import Chain

__all__ = [
    "ChainReport",
    "Checkpoint",
    "Event",
    "Finding",
    "FindingKind",
    "Key",
    "OlderCheckpoint",
    "OutsideHead",
    "Range",
    "Record",
    "Restore",
    "Trust",
    "Unsigned",
    "UnusableInputError",
    "VerificationReport",
    "trust_from_text",
    "verify",
]

_PROGRESS_EVERY = 500


def verify(
    records: Iterable[Record],
    trust: Trust,
    *,
    workspaces: Iterable[str] = (),
    only: str | None = None,
    head: OutsideHead | None = None,
    older: OlderCheckpoint | None = None,
    is_partial: bool = False,
    unsigned: Unsigned = Unsigned.REFUSED,
    progress: Callable[[int], None] | None = None,
) -> VerificationReport:
    """Verify the chains in `records`: for each workspace its cuts, then its rows and checkpoints by sequence number.

    `workspaces` are reported even if they have no records. With `only`, other workspaces are skipped. `head` is a
    hash that was kept elsewhere, and requires that there is one chain; `older` is a checkpoint that was kept, which
    the log must extend. With `is_partial` rows may be missing; each row that is there must still lie under a
    checkpoint, unless `unsigned` allows it.
    `progress` is called with the number of rows read so far. Raises UnusableInputError.
    """
    known = tuple(workspaces)
    names = (only,) if only is not None else known
    origins = {genesis(name).hash: name for name in (*known, *names)}
    chains: dict[str, Chain] = {}

    def chain(name: str) -> Chain:
        if name not in chains:
            chains[name] = Chain(
                name, trust, origins=origins, head=head, older=older, is_partial=is_partial, unsigned=unsigned
            )
        return chains[name]

    for name in names:
        chain(name)
    rows, is_known = 0, only is None or only in known or head is not None
    for record in records:
        if isinstance(record, Key):
            trust.learn(record)
            continue
        is_wanted = only in (None, record.workspace)
        is_known |= is_wanted
        if not isinstance(record, Event):
            if is_wanted:
                _take(chain(record.workspace), record)
            continue
        if is_wanted:
            chain(record.workspace).event(record)
        rows += 1
        if progress is not None and rows % _PROGRESS_EVERY == 0:
            progress(rows)
    if progress is not None:
        progress(rows)
    if not is_known:
        raise UnusableInputError(f"Unknown workspace {only}.")
    if head is not None and len(chains) != 1:
        raise UnusableInputError("--head belongs to one chain, but there are several: give --workspace too.")
    if older is not None:
        older.refuse_unsigned(trust)
        if older.workspace not in chains:
            raise UnusableInputError(f"The given checkpoint is of the workspace {older.workspace}.")
    report = VerificationReport([chain.finish() for chain in chains.values()], is_partial=is_partial)
    if not chains and unsigned is not Unsigned.ALLOWED:
        report.nothing = Finding(FindingKind.UNSIGNED, "", 0, None, "there is no log", record="checkpoint")
    return report


def _take(chain: Chain, record: Checkpoint | Restore | Range) -> None:
    match record:
        case Checkpoint():
            chain.checkpoint(record)
        case Restore():
            chain.restore(record)
        case Range():
            chain.range(record)
