"""Export rows to an archive file before pruning, flush it to disk, then read it back and verify it."""

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from mcpbridge.audit.export.jsonl import first_line, record_lines
from mcpbridge.audit.export.source import Selection, alias, chain_records, checkpoint_of
from mcpbridge.audit.keyring import key_line
from mcpbridge.audit.verification import UnusableInputError, VerificationReport
from mcpbridge.audit.verification.records import Checkpoint, Event, Range, Record
from mcpbridge.audit.verification.sources import verify_export
from mcpbridge.core.durable_files import sync_directory
from mcpbridge.models import AuditCut

_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z.-]")


class ArchiveError(Exception):
    """The file cannot be written, or does not verify. The text says why."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A verified archive file on disk; `hashes` are those of the rows in it that were asked for, by sequence."""

    path: Path
    sha256: str
    hashes: Mapping[int, str] = field(default_factory=dict)


Progress = Callable[[str, int, int], None]


def write_archive(
    cut: AuditCut, *, first: int, folder: Path, places: Sequence[int] = (), progress: Progress | None = None
) -> Archive:
    """Write the rows from `first` up to `cut` to a new file in `folder`, with mode 0600.

    The file is an ordinary export, which `docs/verify_audit.py` verifies. The hashes of the rows at `places` are
    returned as they were written and verified. Raises ArchiveError.
    """
    hashes: dict[int, str] = {}
    written_at = timezone.now().strftime("%Y%m%dT%H%M%SZ")
    # The last part is random, so that writers on several machines never use the same name.
    name = f"audit-{_NOT_IN_NAMES.sub('_', cut.org_id)}-rows-{first}-{cut.sequence}-{written_at}-{secrets.token_hex(4)}"
    path = folder / f"{name}.jsonl"
    part = path.with_name(f".{path.name}.part")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # From here on, remove the file on failure.
        try:
            records = _with_hashes(_records(cut), places, hashes)
            sha256 = _write(descriptor, _with_progress(records, cut.sequence - first + 1, progress), cut.org_id)
            _verify(part, cut)
            # Only a complete file gets the final name.
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
        sync_directory(folder)
    except OSError as error:
        raise ArchiveError(f"The archive {path} cannot be written: {error.strerror}.") from None
    return Archive(path, sha256, hashes)


def _write(descriptor: int, records: Iterator[Record], org_id: str) -> str:
    """Write and flush the file, close it, and return the SHA-256 of its content."""
    digest = hashlib.sha256()
    with os.fdopen(descriptor, "wb") as file:
        for line in chain([first_line([org_id], filters={}, is_whole=True)], record_lines(records)):
            digest.update(line)
            file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _with_hashes(records: Iterator[Record], places: Sequence[int], hashes: dict[int, str]) -> Iterator[Record]:
    """Yield `records`, and put the hashes of the rows at `places` into `hashes`."""
    for record in records:
        if isinstance(record, Event) and record.sequence in places:
            hashes[record.sequence] = record.hash
        yield record


def _with_progress(records: Iterator[Record], rows: int, progress: Progress | None) -> Iterator[Record]:
    """Yield `records` and report the number of rows written to `progress`."""
    written = 0
    for record in records:
        yield record
        if progress and isinstance(record, Event):
            written += 1
            progress("written", written, rows)


def _records(cut: AuditCut) -> Iterator[Record]:
    """Yield keys and cuts, the new cut last, then the rows and checkpoints up to it."""
    has_cut = False
    for record in chain_records(Selection(workspace=cut.org_id)):
        if isinstance(record, Event | Range) or (isinstance(record, Checkpoint) and not record.is_cut):
            if not has_cut:
                has_cut = True
                yield checkpoint_of(cut)
            if not isinstance(record, Range) and record.sequence > cut.sequence:
                return
        yield record


def refuse_tampered(verdict: VerificationReport) -> None:
    """Raise ArchiveError if the verification found something."""
    if bad := verdict.first_bad:
        raise ArchiveError(
            f"The rows do not verify, so none was removed. {bad.kind} at row {bad.sequence}: {bad.reason}."
            f" Run `{settings.MANAGE_COMMAND} audit_verify` for details."
        )


def _verify(path: Path, cut: AuditCut) -> None:
    """Read the file back and verify it as an independent auditor would. Raises ArchiveError."""
    trust = key_line(alias())
    try:
        with path.open("rb") as lines:
            verdict = verify_export(lines, trust)
    except UnusableInputError as error:
        raise ArchiveError(f"The archive cannot be read back, so no row was removed. {error}") from None
    refuse_tampered(verdict)
    (found,) = verdict.chains
    if (found.sequence, found.hash, found.vouched) != (cut.sequence, cut.hash, cut.sequence):
        raise ArchiveError(
            f"The archive ends at row {found.sequence} instead of {cut.sequence}, so no row was removed."
        )
