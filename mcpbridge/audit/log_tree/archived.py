"""Read the hashes of pruned rows back from their archives, so that the tree of a log can begin with its first row."""

from collections.abc import Iterator
from pathlib import Path

from mcpbridge.audit.export.reading import Export
from mcpbridge.audit.tree.merkle import leaf_hash
from mcpbridge.audit.verification import UnusableInputError
from mcpbridge.audit.verification.records import Event
from mcpbridge.audit.verification.sources import verify_export
from mcpbridge.audit.verification.trust import Trust


class ArchivesRefusedError(Exception):
    """The archives do not give back all pruned rows. The text may be shown to operators."""


def archived_leaves(folder: Path, org_id: str, *, last: int, last_hash: str, trust: Trust) -> list[bytes]:
    """Return the hashes of the leaves of rows 1 to `last`, which ends with `last_hash`, from the archives in `folder`.

    Each archive is verified as a whole. Raises ArchivesRefusedError.
    """
    found: dict[int, str] = {}
    for path in sorted(folder.glob("*.jsonl")):
        found.update(_hashes(path, org_id, trust))
    if missing := next((place for place in range(1, last + 1) if place not in found), 0):
        raise ArchivesRefusedError(f"No archive in {folder} has row {missing} of workspace {org_id}.")
    if found[last] != last_hash:
        raise ArchivesRefusedError(f"Row {last} of the archives is not the one that the log continues.")
    return [leaf_hash(bytes.fromhex(found[place])) for place in range(1, last + 1)]


def _hashes(path: Path, org_id: str, trust: Trust) -> Iterator[tuple[int, str]]:
    """Yield sequence and hash of the rows of an archive, if it is one of the workspace."""
    try:
        with path.open("rb") as lines:
            if Export(lines).workspaces != [org_id]:
                return
        with path.open("rb") as lines:
            bad = verify_export(lines, trust).first_bad
        if bad is not None:
            raise ArchivesRefusedError(f"{path.name} does not verify: {bad.kind} at row {bad.sequence}: {bad.reason}.")
        with path.open("rb") as lines:
            for record in Export(lines).records():
                if isinstance(record, Event):
                    yield record.sequence, record.hash
    except (UnusableInputError, OSError) as error:
        raise ArchivesRefusedError(f"{path.name} cannot be read: {error}") from None
