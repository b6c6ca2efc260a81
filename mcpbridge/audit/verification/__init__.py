"""Verify audit chains in one pass and constant memory, and report the first problem of each.

`docs/audit-format.md` specifies what is checked, in which order, and what each finding means. `docs/verify_audit.py`
is an independent implementation in one file, for users who do not trust this one.
"""

from collections.abc import Callable, Iterable

from mcpbridge.audit.hashchain import genesis
from mcpbridge.audit.verification.findings import (
    ChainReport,
    Finding,
    FindingKind,
    Unsigned,
    UnusableInputError,
    VerificationReport,
)
from mcpbridge.audit.verification.records import Checkpoint, Event, Key, Record
from mcpbridge.audit.verification.trust import Trust, trust_from_text
from mcpbridge.audit.verification.walker import Chain, OutsideHead

__all__ = [
    "ChainReport",
    "Checkpoint",
    "Event",
    "Finding",
    "FindingKind",
    "Key",
    "OutsideHead",
    "Record",
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
    is_partial: bool = False,
    unsigned: Unsigned = Unsigned.REFUSED,
    progress: Callable[[int], None] | None = None,
) -> VerificationReport:
    """Verify the chains in `records`: for each workspace its cuts, then its rows and checkpoints by sequence number.

    `workspaces` are reported even if they have no records. With `only`, other workspaces are skipped. `head` is a
    hash that was kept elsewhere, and requires that there is one chain. With `is_partial` rows may be missing; each row
    that is there must still lie under a checkpoint, unless `unsigned` allows it.
    `progress` is called with the number of rows read so far. Raises UnusableInputError.
    """
    known = tuple(workspaces)
    names = (only,) if only is not None else known
    origins = {genesis(name).hash: name for name in (*known, *names)}
    chains: dict[str, Chain] = {}

    def chain(name: str) -> Chain:
        if name not in chains:
            chains[name] = Chain(name, trust, origins=origins, head=head, is_partial=is_partial, unsigned=unsigned)
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
        if isinstance(record, Checkpoint):
            if is_wanted:
                chain(record.workspace).checkpoint(record)
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
    report = VerificationReport([chain.finish() for chain in chains.values()], is_partial=is_partial)
    if not chains and unsigned is not Unsigned.ALLOWED:
        report.nothing = Finding(FindingKind.UNSIGNED, "", 0, None, "there is no log", record="checkpoint")
    return report
