"""Removes old rows from the record, the one sanctioned way: exported and verified first, cut off under a signature.

    1. what is to go is written to a file together with the signed cut, flushed to the disk, and verified there
    2. the pruning is recorded in the chain itself
    3. rows go in parts, each together with a signed cut that says up to where, so that the chain begins there

A crash at any point leaves a chain that verifies; the next run goes on from the last cut. What does not verify is
not removed: nobody gets rid of the traces of a change by pruning.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from django.db import router
from django.utils import timezone

from mcpbridge.audit.archive import Archive, archive_write
from mcpbridge.audit.checkpoints import checkpoint_make
from mcpbridge.audit.console_events import event_record
from mcpbridge.audit.destinations.status import sinks_behind
from mcpbridge.audit.hashchain import Head
from mcpbridge.audit.heads import chain_lock, head_of
from mcpbridge.audit.keyring import signing_key
from mcpbridge.audit.reconcile import unresolved
from mcpbridge.audit.signing import SigningKeyPair, cut_message
from mcpbridge.db.locks import acquire_locks, exclusively
from mcpbridge.db.timeouts import limited_transaction
from mcpbridge.models import AuditCut, AuditEvent, SigningHead

# So many rows go in a fraction of a second, for which destructive calls wait.
ROWS_AT_ONCE = 2_000
_PAUSE_S = 0.05
_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed from a workspace's record: `rows` rows up to `sequence`, `unresolved` of them open questions."""

    rows: int
    sequence: int
    unresolved: int
    archive: Archive
    sinks_behind: tuple[str, ...] = ()


class SinksBehindError(Exception):
    """A sink has not confirmed rows that are to go. The text names it and says what to do."""


class PruneUnderwayError(Exception):
    """Another pruning removes rows of the same workspace."""


_UNDERWAY = "Another audit_prune of this workspace is running. Run it again when that has ended."


def audit_prune(
    *,
    org_id: str,
    before: datetime,
    export_to: Path,
    actor: str,
    despite_sinks: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Pruned | None:
    """Remove the rows of the workspace that were made before `before`, once they are safe in a file in `export_to`.

    `progress` is told the stage ("written", then "removed"), how many rows it is through, and of how many.
    None where there are none. Raises ValueError for an instant to come, ArchiveError where the file cannot be written
    or does not verify, SinksBehindError where a sink would miss rows unless that is meant (`despite_sinks`),
    PruneUnderwayError where another one is at work,
    UnannouncedKeyError where nothing can be signed and AuditUnavailableError where it cannot be
    recorded; then nothing was removed.
    """
    if before > timezone.now():
        raise ValueError("What was not made yet cannot be removed: the date lies in the future.")
    alias = router.db_for_write(AuditEvent)
    with exclusively(alias, f"audit prune {org_id}") as is_alone:
        if not is_alone:
            raise PruneUnderwayError(_UNDERWAY)
        begin, end = _last_cut(alias, org_id), _last_before(alias, org_id, before)
        if end.sequence <= begin:
            return None
        behind = _sinks_behind(org_id, end.sequence, is_meant=despite_sinks)
        places = [begin, *range(begin + ROWS_AT_ONCE, end.sequence, ROWS_AT_ONCE), end.sequence]
        with limited_transaction(alias, limit_s=_LIMIT_S):
            key = signing_key(alias)
        last = _signed_cut(key, org_id, end, rows=end.sequence - places[-2])
        pruned = Pruned(
            rows=end.sequence - begin,
            sequence=end.sequence,
            unresolved=unresolved(org_id).filter(sequence__lte=end.sequence).count(),
            archive=archive_write(last, first=begin + 1, folder=export_to, progress=progress),
            sinks_behind=behind,
        )
        _record(org_id, pruned, before=before, actor=actor)
        for reached, place in pairwise(places):
            _remove(alias, last if place == end.sequence else _cut_at(alias, key, org_id, place, rows=place - reached))
            if progress:
                progress("removed", place - begin, pruned.rows)
            time.sleep(_PAUSE_S)
    checkpoint_make(reason="prune", org_id=org_id)
    return pruned


def _last_cut(alias: str, org_id: str) -> int:
    """The last row that was removed; 0 where none was."""
    cut = AuditCut.objects.using(alias).filter(org_id=org_id).order_by("-sequence").first()
    return cut.sequence if cut else 0


def _last_before(alias: str, org_id: str, before: datetime) -> Head:
    """The last row that may go: those behind it were made at `before` or later, or one of them was."""
    rows = AuditEvent.objects.using(alias).filter(org_id=org_id).order_by("sequence").values_list("sequence", "hash")
    kept = rows.filter(recorded_at__gte=before).first()
    if kept is None:
        return head_of(alias, org_id)
    found = rows.filter(sequence__lt=kept[0]).last()
    return Head(*found) if found else Head(0, "")


def _sinks_behind(org_id: str, sequence: int, *, is_meant: bool) -> tuple[str, ...]:
    """The names of the sinks that the removal of the rows up to `sequence` leaves a gap, where that is meant."""
    behind = sinks_behind(org_id, sequence)
    if behind and not is_meant:
        named = ", ".join(f"“{sink.name}” (row {sink.confirmed})" for sink in behind)
        raise SinksBehindError(
            f"Sinks have not confirmed all rows up to {sequence}: {named}. Let them catch up, delete them, or say"
            " --despite-sinks; then they miss what is removed."
        )
    return tuple(sink.name for sink in behind)


def _record(org_id: str, pruned: Pruned, *, before: datetime, actor: str) -> None:
    event_record(
        org_id=org_id,
        action="console.audit_prune",
        actor=actor,
        target_type="audit_record",
        target_label=f"{pruned.rows} rows up to row {pruned.sequence}",
        details={
            "before": before.isoformat(),
            "rows": pruned.rows,
            "up_to": pruned.sequence,
            "unresolved": pruned.unresolved,
            "archive": pruned.archive.path.name,
            "sha256": pruned.archive.sha256,
            **({"despite_sinks": list(pruned.sinks_behind)} if pruned.sinks_behind else {}),
        },
    )


def _signed_cut(key: SigningKeyPair, org_id: str, head: Head, *, rows: int) -> AuditCut:
    at = timezone.now()
    message = cut_message(org_id=org_id, sequence=head.sequence, hash=head.hash, at=at, rows=rows)
    return AuditCut(
        org_id=org_id,
        sequence=head.sequence,
        hash=head.hash,
        at=at,
        key_id=key.key_id,
        signature=key.sign(message),
        rows=rows,
    )


def _cut_at(alias: str, key: SigningKeyPair, org_id: str, place: int, *, rows: int) -> AuditCut:
    row = AuditEvent.objects.using(alias).filter(org_id=org_id, sequence=place).first()
    if row is None:
        raise PruneUnderwayError(_UNDERWAY)
    return _signed_cut(key, org_id, Head(row.sequence, row.hash), rows=rows)


def _remove(alias: str, cut: AuditCut) -> None:
    """Let the chain begin behind `cut`, and the rows and checkpoints up to it go, in one.

    Raises PruneUnderwayError where the chain does not begin any more where `cut` says.
    """
    with limited_transaction(alias, limit_s=_LIMIT_S):
        acquire_locks(alias, chain_lock(cut.org_id))
        if _last_cut(alias, cut.org_id) != cut.sequence - cut.rows:
            raise PruneUnderwayError(_UNDERWAY)
        cut.save(using=alias, force_insert=True)
        for model in (AuditEvent, SigningHead):
            model._default_manager.using(alias).filter(org_id=cut.org_id, sequence__lte=cut.sequence).delete()
