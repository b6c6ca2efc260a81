"""Verifies audit chains: reads them once, in constant memory, and says that they hold or what is wrong first.

`docs/audit-format.md` specifies what is checked, in which order, and what each finding means;
`docs/verify_audit.py` is the same in one file for people who have no reason to trust this one.
"""

from collections.abc import Callable, Iterable

from mcpbridge.audit.hashchain import genesis
from mcpbridge.audit.verification.findings import ChainReport, Finding, Kind, UnusableInputError, Verdict
from mcpbridge.audit.verification.records import Checkpoint, Event, Key, Record
from mcpbridge.audit.verification.trust import Trust, trust_from_text
from mcpbridge.audit.verification.walker import Chain, OutsideHead

__all__ = [
    "ChainReport",
    "Checkpoint",
    "Event",
    "Finding",
    "Key",
    "Kind",
    "OutsideHead",
    "Record",
    "Trust",
    "UnusableInputError",
    "Verdict",
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
    progress: Callable[[int], None] | None = None,
) -> Verdict:
    """Verify the chains in `records`: of each workspace its cuts, then its rows and checkpoints by their numbers.

    `workspaces` names chains that are to be there even if they are empty. With `only`, other chains are passed over.
    `head` is a row's hash that somebody kept elsewhere; it belongs to the only chain there is. With `is_partial`
    rows may be left out. `progress` is told now and then how many rows were read. Raises UnusableInputError.
    """
    known = tuple(workspaces)
    names = (only,) if only is not None else known
    origins = {genesis(name).hash: name for name in (*known, *names)}
    chains: dict[str, Chain] = {}

    def chain(name: str) -> Chain:
        if name not in chains:
            chains[name] = Chain(name, trust, origins=origins, head=head, is_partial=is_partial)
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
        raise UnusableInputError(f"Nothing is known of a workspace {only}.")
    if head is not None and len(chains) != 1:
        raise UnusableInputError("A head belongs to one chain, and here are several: name its workspace too.")
    return Verdict([chain.finish() for chain in chains.values()], is_partial=is_partial)
