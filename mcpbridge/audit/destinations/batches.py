"""Build the next batch for a log destination: rows in chain order, with the checkpoints that sign them.

A batch is identified by its bounds and the hash of its last record. Audit rows never change, but after a restore other
rows may take the places of those that were lost. The statement of a restore goes before the first row of its epoch, and
no row of an epoch goes without it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import accumulate

from django.db.models import BigIntegerField, F, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from mcpbridge.audit.epochs.stored import last_epoch, stored_restores
from mcpbridge.audit.export.jsonl import record_lines
from mcpbridge.audit.export.source import Selection, chain_order, checkpoint_of, event_records
from mcpbridge.audit.verification.records import Checkpoint, Event, Restore
from mcpbridge.models import AuditCut, AuditEvent, SigningHead
from mcpbridge.models.destinations import LogDestination, LogDestinationQuerySet

ROWS = 200
CHECKPOINTS = 100
# A single row may exceed this: its snapshot takes up to 256 KiB.
BYTES = 1024 * 1024


Delivered = Event | Checkpoint | Restore


@dataclass(frozen=True, slots=True)
class Batch:
    """Records for a destination, in order. `last` and `checkpoint` are its new position once they are acknowledged.

    `lines` are the records as JSON Lines. `is_full`: the next record would have exceeded the size limit.
    """

    records: tuple[Delivered, ...]
    lines: bytes
    rows: int
    last: int
    checkpoint: int
    is_full: bool

    @property
    def is_divisible(self) -> bool:
        """Return whether the batch can be split: it has more than one row or checkpoint."""
        return sum(map(_is_counted, self.records)) > 1


def _is_counted(record: Delivered) -> bool:
    """Return whether the record is more than an explanation of the place at which rows continue."""
    return isinstance(record, Event) or (isinstance(record, Checkpoint) and not record.is_cut)


def waiting(destinations: LogDestinationQuerySet, alias: str) -> LogDestinationQuerySet:
    """Filter `destinations` to those with unsent rows or checkpoints."""
    return annotated(destinations, alias).filter(Q(head__gt=F("acked")) | Q(last_checkpoint__gt=F("acked_checkpoint")))


def annotated(destinations: LogDestinationQuerySet, alias: str) -> LogDestinationQuerySet:
    """Annotate each destination with its chain's last row (`head`), last checkpoint and last pruned row (`cut`)."""
    events = AuditEvent.objects.using(alias).filter(org_id=OuterRef("org_id")).order_by("-sequence")
    heads = SigningHead.objects.using(alias).filter(org_id=OuterRef("org_id")).order_by("-sequence", "-id")
    cuts = AuditCut.objects.using(alias).filter(org_id=OuterRef("org_id")).order_by("-sequence")
    return destinations.using(alias).annotate(
        head=Coalesce(Subquery(events.values("sequence")[:1]), 0, output_field=BigIntegerField()),
        last_checkpoint=Coalesce(Subquery(heads.values("id")[:1]), 0, output_field=BigIntegerField()),
        cut=Coalesce(Subquery(cuts.values("sequence")[:1]), 0, output_field=BigIntegerField()),
    )


def last_checkpoint(alias: str, org_id: str) -> int:
    """Return the primary key of the workspace's last checkpoint, or 0."""
    found = SigningHead.objects.using(alias).filter(org_id=org_id).aggregate(last=Max("id"))["last"]
    return int(found or 0)


def message_id(destination: LogDestination, batch: Batch) -> str:
    """Return an id that is stable across retries of a batch; restarting the destination changes it."""
    rows, checkpoints = (destination.acked, batch.last), (destination.acked_checkpoint, batch.checkpoint)
    last = next(record.hash for record in reversed(batch.records) if not isinstance(record, Restore))
    bounds = repr((destination.org_id, destination.pk, destination.restarts, rows, checkpoints, last))
    return f"audit_{hashlib.sha256(bounds.encode()).hexdigest()[:32]}"


def next_batch(destination: LogDestination, alias: str) -> Batch | None:
    """Return the next batch: the leased one with the same bounds if there is one, else new records; None if none."""
    batch = _batch(destination, alias)
    if batch is None and _has_lease(destination):
        # Pruning removed the leased rows; continue with the rows after them.
        destination.leased = destination.leased_checkpoint = 0
        batch = _batch(destination, alias)
    return batch


def _batch(destination: LogDestination, alias: str) -> Batch | None:
    # Read the checkpoints first, so that the row of each is visible to the query below.
    heads = list(_heads(destination, alias)[:CHECKPOINTS])
    events, has_more = _rows(destination, last_epoch(alias, destination.org_id))
    if has_more:
        last = events[-1].sequence if events else destination.acked
        heads = [head for head in heads if head.sequence <= last]
    both: list[list[Event | Checkpoint]] = [[*events], [checkpoint_of(head) for head in heads]]
    ahead = list(merge(*both, key=chain_order))
    if not ahead:
        return None
    lines = [record_line(record) for record in ahead]
    # A leased batch keeps its bounds; a new one respects the size that the receiver accepts.
    fitting = len(ahead) if _has_lease(destination) else _fitting(lines, destination.size_limit or BYTES)
    rows = [record for record in ahead[:fitting] if isinstance(record, Event)]
    cut, checkpoints = _cut_before(destination, alias, rows), fitting - len(rows)
    records = [(record, line) for record, line in zip(ahead, lines, strict=True)][:fitting]
    restores = list(stored_restores(alias, destination.org_id))
    told = list(_explained([(each, record_line(each)) for each in cut] + records, restores, destination.acked))
    return Batch(
        records=tuple(record for record, _ in told),
        lines=b"".join(line for _, line in told),
        rows=len(rows),
        last=rows[-1].sequence if rows else destination.acked,
        checkpoint=heads[checkpoints - 1].pk if checkpoints else destination.acked_checkpoint,
        is_full=fitting < len(ahead),
    )


def _explained(
    records: "list[tuple[Event | Checkpoint, bytes]]", restores: list[Restore], acked: int
) -> Iterator[tuple[Delivered, bytes]]:
    """Yield records with their lines, and before the first row of each epoch the statement that begins it."""
    left = [restore for restore in restores if restore.kept["sequence"] >= acked]
    for record, line in records:
        while left and isinstance(record, Event) and record.sequence > left[0].kept["sequence"]:
            restore = left.pop(0)
            yield restore, record_line(restore)
        yield record, line


def _fitting(lines: list[bytes], limit: int) -> int:
    """Return how many of `lines` fit into `limit` bytes; at least one."""
    ends = accumulate(map(len, lines))
    return max(1, sum(end <= limit for end in ends))


def record_line(record: Delivered) -> bytes:
    """Return the record as a line of a JSON Lines export, line break included."""
    return next(record_lines([record]))


def _heads(destination: LogDestination, alias: str) -> "QuerySet[SigningHead]":
    heads = SigningHead.objects.using(alias).filter(org_id=destination.org_id, id__gt=destination.acked_checkpoint)
    if _has_lease(destination):
        heads = heads.filter(id__lte=destination.leased_checkpoint)
    return heads.order_by("sequence", "id")


def _has_lease(destination: LogDestination) -> bool:
    return bool(destination.leased or destination.leased_checkpoint)


def _rows(destination: LogDestination, epoch: int) -> tuple[list[Event], bool]:
    """Return the rows of the batch, up to `epoch`, and whether more rows follow it."""
    rows: list[Event] = []
    size = 0
    limit = destination.size_limit or BYTES
    for event in _ahead(destination):
        if _has_lease(destination):
            if event.sequence > destination.leased:
                return rows, True
        elif len(rows) == ROWS or size > limit or (event.facts or {}).get("epoch", 0) > epoch:
            return rows, True
        size += len(record_line(event))
        rows.append(event)
    return rows, False


def _ahead(destination: LogDestination) -> Iterator[Event]:
    ahead = Selection(workspace=destination.org_id, narrow=lambda rows: rows.filter(sequence__gt=destination.acked))
    return event_records(ahead)


def _cut_before(destination: LogDestination, alias: str, events: list[Event]) -> list[Checkpoint]:
    """Return the signed cut that explains a gap between the last acknowledged row and `events`, if there is one."""
    if not events or events[0].sequence == destination.acked + 1:
        return []
    cuts = AuditCut.objects.using(alias).filter(org_id=destination.org_id, sequence=events[0].sequence - 1)
    return [checkpoint_of(cut) for cut in cuts]
