"""Writes rows that are about to leave the record to a file that proves them, and does not believe that it did so."""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from django.utils import timezone

from mcpbridge.audit.export.jsonl import first_line, record_lines
from mcpbridge.audit.export.source import Selection, chain_records, checkpoint_of
from mcpbridge.audit.keyring import published_keys
from mcpbridge.audit.verification import UnusableInputError, trust_from_text
from mcpbridge.audit.verification.records import Checkpoint, Event, Key, Record
from mcpbridge.audit.verification.sources import verify_export
from mcpbridge.core.durable_files import sync_directory
from mcpbridge.models import AuditCut

_UNFIT = re.compile(r"[^0-9A-Za-z.-]")


class ArchiveError(Exception):
    """The file cannot be written, or what was written does not verify. The text says why."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A file of rows, on the disk and verified."""

    path: Path
    sha256: str


Progress = Callable[[str, int, int], None]


def write_archive(cut: AuditCut, *, first: int, folder: Path, progress: Progress | None = None) -> Archive:
    """Write the rows from `first` up to `cut`, in which they end, to a new file in `folder`, for its owner alone.

    It is an export like any other, so that `docs/verify_audit.py` proves it. Raises ArchiveError.
    """
    written_at = timezone.now().strftime("%Y%m%dT%H%M%SZ")
    # The last part is random: no two writers, on whatever machines, ever mean the same file.
    name = f"audit-{_UNFIT.sub('_', cut.org_id)}-rows-{first}-{cut.sequence}-{written_at}-{secrets.token_hex(4)}"
    path = folder / f"{name}.jsonl"
    part = path.with_name(f".{path.name}.part")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # From here on the file is ours to remove.
        try:
            sha256 = _write(descriptor, _followed(_records(cut), cut.sequence - first + 1, progress), cut.org_id)
            _verify(part, cut)
            # Under its name there is only ever the whole file.
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
        sync_directory(folder)
    except OSError as error:
        raise ArchiveError(f"The archive {path} cannot be written: {error.strerror}.") from None
    return Archive(path, sha256)


def _write(descriptor: int, records: Iterator[Record], org_id: str) -> str:
    """Write the file down to the disk, and close it; return the SHA-256 of its content."""
    digest = hashlib.sha256()
    with os.fdopen(descriptor, "wb") as file:
        for line in chain([first_line([org_id], filters={}, is_whole=True)], record_lines(records)):
            digest.update(line)
            file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _followed(records: Iterator[Record], rows: int, progress: Progress | None) -> Iterator[Record]:
    """The same, while `progress` is told how many rows are written."""
    written = 0
    for record in records:
        yield record
        if progress and isinstance(record, Event):
            written += 1
            progress("written", written, rows)


def _records(cut: AuditCut) -> Iterator[Record]:
    """Keys and cuts, the new one last, then rows and checkpoints up to it."""
    is_said = False
    for record in chain_records(Selection(workspace=cut.org_id)):
        if not isinstance(record, Key) and not (isinstance(record, Checkpoint) and record.is_cut):
            if not is_said:
                is_said = True
                yield checkpoint_of(cut)
            if record.sequence > cut.sequence:
                return
        yield record


def _verify(path: Path, cut: AuditCut) -> None:
    """Read back what was written, as somebody would who trusts nobody here."""
    trust = trust_from_text(json.dumps(published_keys()))
    try:
        with path.open("rb") as lines:
            verdict = verify_export(lines, trust)
    except UnusableInputError as error:
        raise ArchiveError(f"The archive cannot be read back, so no row was removed. {error}") from None
    if bad := verdict.first_bad:
        raise ArchiveError(
            f"The rows do not verify, so none was removed. {bad.kind} at row {bad.sequence}: {bad.reason}."
            " `manage.py audit_verify` says more."
        )
    (found,) = verdict.chains
    if (found.sequence, found.hash, found.vouched) != (cut.sequence, cut.hash, cut.sequence):
        raise ArchiveError(f"The archive ends at row {found.sequence}, not at {cut.sequence}; no row was removed.")
