"""Prune old rows from the audit log: export and verify them, then replace them with a signed cut.

    1. write the rows and the signed cut to an archive file, flush it to disk, read it back and verify it
    2. record the pruning in the chain itself
    3. delete the rows in batches, each in one transaction with a signed cut after which the chain begins

A crash at any point leaves a chain that verifies; the next run continues from the last cut. Rows that do not verify
are not removed, so pruning cannot hide tampering.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from django.db import router
from django.utils import timezone

from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.anchors.watch import verified_heads
from mcpbridge.audit.archive import Archive, ArchiveError, refuse_tampered, write_archive
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.destinations.status import destinations_behind
from mcpbridge.audit.hashchain import Head
from mcpbridge.audit.heads import chain_lock, head_of
from mcpbridge.audit.keyring import signing_key
from mcpbridge.audit.reconcile import unresolved
from mcpbridge.audit.signing import SigningKeyPair, cut_message
from mcpbridge.audit.verification import OutsideHead, UnusableInputError
from mcpbridge.audit.verification.sources import verify_stored
from mcpbridge.db.locks import acquire_locks, exclusive_lock
from mcpbridge.db.timeouts import bounded_transaction
from mcpbridge.models import AuditCut, AuditEvent, SigningHead

# One batch takes a fraction of a second, during which destructive calls wait.
ROWS_AT_ONCE = 2_000
_PAUSE_S = 0.05
_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Pruned:
    """Result of a pruning: `rows` rows up to `sequence` were removed, `unresolved` of them unknown outcomes."""

    rows: int
    sequence: int
    unresolved: int
    archive: Archive
    destinations_behind: tuple[str, ...] = ()


class UndeliveredRowsError(Exception):
    """A log destination has not acknowledged rows that would be removed. The text names it and says what to do."""


class PruneInProgressError(Exception):
    """Another pruning of the same workspace is running."""


_IN_PROGRESS = "Another audit_prune of this workspace is running. Try again when it has finished."


def prune_audit_log(
    *,
    org_id: str,
    before: datetime,
    export_to: Path,
    actor: str,
    include_undelivered: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Pruned | None:
    """Remove rows of the workspace recorded before `before`, after archiving them in the folder `export_to`.

    `progress` is called with the stage ("written", then "removed"), the rows done and their total. Returns None if
    there are no such rows. Nothing was removed if it raises:

        ValueError              `before` is in the future
        ArchiveError            the archive cannot be written or does not verify
        UndeliveredRowsError    a log destination lacks rows, unless `include_undelivered`
        PruneInProgressError      another pruning of the workspace is running
        SigningRefusedError       the signing key must not sign
        AuditUnavailableError   the pruning cannot be recorded
    """
    if before > timezone.now():
        raise ValueError("The date must not be in the future.")
    alias = router.db_for_write(AuditEvent)
    with exclusive_lock(alias, f"audit prune {org_id}") as is_alone:
        if not is_alone:
            raise PruneInProgressError(_IN_PROGRESS)
        begin, end = _last_cut(alias, org_id), _last_before(alias, org_id, before)
        if end.sequence <= begin:
            return None
        behind = _undelivered_to(org_id, end.sequence, is_allowed=include_undelivered)
        places = [begin, *range(begin + ROWS_AT_ONCE, end.sequence, ROWS_AT_ONCE), end.sequence]
        _refuse_unverified(alias, org_id, end)
        if not SigningHead.objects.using(alias).filter(org_id=org_id, sequence__gte=end.sequence).exists():
            # So that tiles cover all that is removed.
            make_checkpoints(reason="prune", org_id=org_id)
        with bounded_transaction(alias, limit_s=_LIMIT_S):
            key = signing_key(alias)
        last = _signed_cut(key, org_id, end, rows=end.sequence - places[-2])
        pruned = Pruned(
            rows=end.sequence - begin,
            sequence=end.sequence,
            unresolved=unresolved(org_id).filter(sequence__lte=end.sequence).count(),
            archive=write_archive(last, first=begin + 1, folder=export_to, places=places, progress=progress),
            destinations_behind=behind,
        )
        _record(org_id, pruned, before=before, actor=actor)
        for reached, place in pairwise(places):
            head = Head(place, pruned.archive.hashes[place])
            _remove(alias, last if place == end.sequence else _signed_cut(key, org_id, head, rows=place - reached))
            if progress:
                progress("removed", place - begin, pruned.rows)
            time.sleep(_PAUSE_S)
    make_checkpoints(reason="prune", org_id=org_id)
    return pruned


def _refuse_unverified(alias: str, org_id: str, end: Head) -> None:
    """Verify the whole log against the anchor of this node: a cut signs all that it removes.

    Raises SigningRefusedError and ArchiveError.
    """
    verified_heads(node_anchors(), alias, [org_id], is_strict=True)
    try:
        refuse_tampered(verify_stored(workspace=org_id, head=OutsideHead(end.hash, end.sequence)))
    except UnusableInputError as error:
        raise ArchiveError(str(error)) from None


def _last_cut(alias: str, org_id: str) -> int:
    """Return the sequence number of the last pruned row, or 0."""
    cut = AuditCut.objects.using(alias).filter(org_id=org_id).order_by("-sequence").first()
    return cut.sequence if cut else 0


def _last_before(alias: str, org_id: str, before: datetime) -> Head:
    """Return the last row to remove: the one before the first row recorded at `before` or later."""
    rows = AuditEvent.objects.using(alias).filter(org_id=org_id).order_by("sequence").values_list("sequence", "hash")
    kept = rows.filter(recorded_at__gte=before).first()
    if kept is None:
        return head_of(alias, org_id).head
    found = rows.filter(sequence__lt=kept[0]).last()
    return Head(*found) if found else Head(0, "")


def _undelivered_to(org_id: str, sequence: int, *, is_allowed: bool) -> tuple[str, ...]:
    """Return the names of destinations that lack rows up to `sequence`; raise UndeliveredRowsError unless allowed."""
    behind = destinations_behind(org_id, sequence)
    if behind and not is_allowed:
        named = ", ".join(f"“{destination.name}” (row {destination.acked})" for destination in behind)
        raise UndeliveredRowsError(
            f"Log destinations have not acknowledged all rows up to {sequence}: {named}. Let them catch up,"
            " delete them, or give --include-undelivered, and they never get the removed rows."
        )
    return tuple(destination.name for destination in behind)


def _record(org_id: str, pruned: Pruned, *, before: datetime, actor: str) -> None:
    record_event(
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
            **({"undelivered_to": list(pruned.destinations_behind)} if pruned.destinations_behind else {}),
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


def _remove(alias: str, cut: AuditCut) -> None:
    """Store `cut` and delete the rows and checkpoints up to it, in one transaction.

    Raises PruneInProgressError if the chain does not begin where `cut` says.
    """
    with bounded_transaction(alias, limit_s=_LIMIT_S):
        acquire_locks(alias, chain_lock(cut.org_id))
        if _last_cut(alias, cut.org_id) != cut.sequence - cut.rows:
            raise PruneInProgressError(_IN_PROGRESS)
        cut.save(using=alias, force_insert=True)
        for model in (AuditEvent, SigningHead):
            model._default_manager.using(alias).filter(org_id=cut.org_id, sequence__lte=cut.sequence).delete()
