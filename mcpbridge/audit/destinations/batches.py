"""What a sink is sent next: rows in the order of their chain, and the checkpoints that speak of them.

A batch is known by its bounds. The rows of the record never change, so the same bounds always make the same batch.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import accumulate

from django.db.models import BigIntegerField, F, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from mcpbridge.audit.export.jsonl import record_lines
from mcpbridge.audit.export.source import Selection, chain_order, checkpoint_of, event_records
from mcpbridge.audit.verification.records import Checkpoint, Event
from mcpbridge.models import AuditCut, AuditEvent, SigningHead
from mcpbridge.models.destinations import Sink, SinkQuerySet

ROWS = 200
CHECKPOINTS = 100
# A row alone may be larger: it brings a snapshot of up to 256 KiB.
BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """Records for a sink, in order. `last` and `checkpoint` are where it stands once they are confirmed.

    `lines` is the records as JSON Lines. `is_full` where the next record would have made them too long.
    """

    records: tuple[Event | Checkpoint, ...]
    lines: bytes
    rows: int
    last: int
    checkpoint: int
    is_full: bool

    @property
    def is_divisible(self) -> bool:
        """Whether fewer of its records can be sent at once."""
        return sum(not (isinstance(record, Checkpoint) and record.is_cut) for record in self.records) > 1


def waiting(sinks: SinkQuerySet, alias: str) -> SinkQuerySet:
    """Those of `sinks` for which there is something to send."""
    return annotated(sinks, alias).filter(Q(head__gt=F("confirmed")) | Q(last_checkpoint__gt=F("confirmed_checkpoint")))


def annotated(sinks: SinkQuerySet, alias: str) -> SinkQuerySet:
    """`sinks`, each with its chain's last row (`head`), its last checkpoint, and the last row removed (`cut`)."""
    events = AuditEvent.objects.using(alias).filter(org_id=OuterRef("org_id")).order_by("-sequence")
    heads = SigningHead.objects.using(alias).filter(org_id=OuterRef("org_id")).order_by("-sequence", "-id")
    cuts = AuditCut.objects.using(alias).filter(org_id=OuterRef("org_id")).order_by("-sequence")
    return sinks.using(alias).annotate(
        head=Coalesce(Subquery(events.values("sequence")[:1]), 0, output_field=BigIntegerField()),
        last_checkpoint=Coalesce(Subquery(heads.values("id")[:1]), 0, output_field=BigIntegerField()),
        cut=Coalesce(Subquery(cuts.values("sequence")[:1]), 0, output_field=BigIntegerField()),
    )


def last_checkpoint(alias: str, org_id: str) -> int:
    """The key of the workspace's last checkpoint, 0 where there is none."""
    found = SigningHead.objects.using(alias).filter(org_id=org_id).aggregate(last=Max("id"))["last"]
    return int(found or 0)


def message_id(sink: Sink, batch: Batch) -> str:
    """An id that is the same whenever the same batch is sent, until somebody moves the sink to another row."""
    rows, checkpoints = (sink.confirmed, batch.last), (sink.confirmed_checkpoint, batch.checkpoint)
    bounds = repr((sink.org_id, sink.pk, sink.restarts, rows, checkpoints))
    return f"audit_{hashlib.sha256(bounds.encode()).hexdigest()[:32]}"


def next_batch(sink: Sink, alias: str) -> Batch | None:
    """What follows what `sink` has confirmed: what was offered before, in the same bounds, or else what is there."""
    batch = _batch(sink, alias)
    if batch is None and _was_offered(sink):
        # Retention took what was offered; what is behind it goes on its way.
        sink.offered = sink.offered_checkpoint = 0
        batch = _batch(sink, alias)
    return batch


def _batch(sink: Sink, alias: str) -> Batch | None:
    # Checkpoints first: one that is seen here finds its row below.
    heads = list(_heads(sink, alias)[:CHECKPOINTS])
    events, has_more = _rows(sink)
    if has_more:
        last = events[-1].sequence if events else sink.confirmed
        heads = [head for head in heads if head.sequence <= last]
    both: list[list[Event | Checkpoint]] = [[*events], [checkpoint_of(head) for head in heads]]
    ahead = list(merge(*both, key=chain_order))
    if not ahead:
        return None
    lines = [record_line(record) for record in ahead]
    # What was offered keeps its bounds; what is new is no longer than the receiver takes.
    fitting = len(ahead) if _was_offered(sink) else _fitting(lines, sink.size_limit or BYTES)
    rows = [record for record in ahead[:fitting] if isinstance(record, Event)]
    cut, checkpoints = _cut_before(sink, alias, rows), fitting - len(rows)
    return Batch(
        records=(*cut, *ahead[:fitting]),
        lines=b"".join([*map(record_line, cut), *lines[:fitting]]),
        rows=len(rows),
        last=rows[-1].sequence if rows else sink.confirmed,
        checkpoint=heads[checkpoints - 1].pk if checkpoints else sink.confirmed_checkpoint,
        is_full=fitting < len(ahead),
    )


def _fitting(lines: list[bytes], limit: int) -> int:
    """How many of `lines` are within `limit` bytes; one at least."""
    ends = accumulate(map(len, lines))
    return max(1, sum(end <= limit for end in ends))


def record_line(record: Event | Checkpoint) -> bytes:
    """The record as an export has it, a line with its end."""
    return next(record_lines([record]))


def _heads(sink: Sink, alias: str) -> "QuerySet[SigningHead]":
    heads = SigningHead.objects.using(alias).filter(org_id=sink.org_id, id__gt=sink.confirmed_checkpoint)
    if _was_offered(sink):
        heads = heads.filter(id__lte=sink.offered_checkpoint)
    return heads.order_by("sequence", "id")


def _was_offered(sink: Sink) -> bool:
    return bool(sink.offered or sink.offered_checkpoint)


def _rows(sink: Sink) -> tuple[list[Event], bool]:
    """The rows of the batch, and whether others follow that are not in it."""
    rows: list[Event] = []
    size = 0
    limit = sink.size_limit or BYTES
    for event in _ahead(sink):
        if _was_offered(sink):
            if event.sequence > sink.offered:
                return rows, True
        elif len(rows) == ROWS or size > limit:
            return rows, True
        size += len(record_line(event))
        rows.append(event)
    return rows, False


def _ahead(sink: Sink) -> Iterator[Event]:
    ahead = Selection(workspace=sink.org_id, narrow=lambda rows: rows.filter(sequence__gt=sink.confirmed))
    return event_records(ahead)


def _cut_before(sink: Sink, alias: str, events: list[Event]) -> list[Checkpoint]:
    """The signed stub that explains why the rows do not begin right behind the last one that was confirmed."""
    if not events or events[0].sequence == sink.confirmed + 1:
        return []
    cuts = AuditCut.objects.using(alias).filter(org_id=sink.org_id, sequence=events[0].sequence - 1)
    return [checkpoint_of(cut) for cut in cuts]
