"""Verify old rows again, some at a time and from the beginning again after the end.

An anchor shows that the end of a log stands, not that its middle was left alone. The place that was reached is kept
beside the anchors, for all processes of the node. Nothing rests on it: a wrong place only delays a finding.
"""

import os
from typing import NamedTuple

import orjson

from mcpbridge.audit.anchors.faults import FaultKind
from mcpbridge.audit.anchors.memory import NodeAnchors, node_anchors
from mcpbridge.audit.anchors.new_rows import not_following, signed_cut
from mcpbridge.audit.anchors.turns import age_s, turn
from mcpbridge.audit.anchors.watch import UNREADABLE_TEXT
from mcpbridge.audit.export.source import UNREADABLE, Selection, event_records
from mcpbridge.audit.hashchain import Head, genesis
from mcpbridge.audit.keyring import key_line
from mcpbridge.audit.verification.records import has_valid_hash
from mcpbridge.audit.verification.trust import Trust
from mcpbridge.db.timeouts import bounded_read
from mcpbridge.models import AuditEvent

# 2,000 rows a minute: a million in eight hours.
EVERY_S = 6.0
ROWS = 200
# What a log costs besides its rows, so that many short logs are bounded, too.
_ROWS_PER_LOG = 20
_LIMIT_S = 5.0
_FILE = ".round"


class Place(NamedTuple):
    """The last row that was verified again; row 0 if the log is next."""

    workspace: str
    sequence: int
    hash: str


class OldRows:
    """The rows below the anchors, verified in turn; one process of a node does it at a time."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._place: Place | None = None

    def verify_some(self) -> None:
        """Verify the next rows and report what does not follow. Raises OSError."""
        anchors = node_anchors()
        if anchors.folder is None:
            self._place = self._advance(anchors, self._place)
            return
        with turn(anchors.folder, _FILE, is_due=_is_due) as file:
            if file is not None:
                _store(file, self._advance(anchors, _stored(file)))

    def _advance(self, anchors: NodeAnchors, place: Place | None) -> Place | None:
        faulty = {fault.workspace for fault in anchors.faults}
        logs = [org_id for org_id in sorted(anchors.workspaces()) if org_id not in faulty]
        left = ROWS
        with bounded_read(self._alias, limit_s=_LIMIT_S):
            trust = key_line(self._alias)
            for _ in logs:
                if place is None or place.workspace not in logs:
                    place = _next_log(logs, place)
                log = OldLog(anchors, self._alias, trust, place.workspace)
                reached = log.verify(place, left)
                place = reached or _next_log(logs, place)
                left -= _ROWS_PER_LOG + log.rows
                if left <= 0:
                    break
        return place


def _next_log(logs: list[str], place: Place | None) -> Place:
    org_id = next((each for each in logs if place is not None and each > place.workspace), logs[0])
    return Place(org_id, *genesis(org_id))


class OldLog:
    """The rows of one workspace below its anchor."""

    def __init__(self, anchors: NodeAnchors, alias: str, trust: Trust, org_id: str) -> None:
        self._anchors = anchors
        self._alias = alias
        self._trust = trust
        self._org_id = org_id
        self.rows = 0

    def verify(self, place: Place, most: int) -> Place | None:
        """Verify up to `most` rows behind `place`; return the place reached, None at the end or after a finding."""
        try:
            return self._verify(self._begin(place), most)
        except UNREADABLE:
            self._report(UNREADABLE_TEXT)
            return None

    def _begin(self, place: Place) -> Head:
        """Return where to continue: at `place` if that row is as it was, else at the beginning of what was kept."""
        rows = AuditEvent.objects.using(self._alias).filter(org_id=self._org_id)
        if place.sequence and rows.filter(sequence=place.sequence, hash=place.hash).exists():
            return Head(place.sequence, place.hash)
        first = rows.order_by("sequence").values_list("sequence", flat=True).first()
        if first is not None and first > 1 and (cut := self._cut(first - 1)) and cut.sequence == first - 1:
            return cut
        return genesis(self._org_id)

    def _cut(self, sequence: int) -> Head | None:
        found = signed_cut(self._alias, self._trust, self._org_id, sequence)
        return Head(found.sequence, found.hash) if found else None

    def _verify(self, head: Head, most: int) -> Place | None:
        known = self._anchors.verified(self._org_id)
        until = min(head.sequence + most, known.sequence if known else 0)
        rows = Selection(
            workspace=self._org_id,
            narrow=lambda events: events.filter(sequence__gt=head.sequence, sequence__lte=until),
        )
        reached = head
        for event in event_records(rows):
            is_next = event.sequence == reached.sequence + 1
            if not is_next and self._cut(reached.sequence + 1):
                # Pruned while this was reading.
                return None
            if not is_next or event.previous_hash != reached.hash or not has_valid_hash(event):
                self._report(not_following(event, reached))
                return None
            reached = Head(event.sequence, event.hash)
            self.rows += 1
        if reached.sequence < until and not self._cut(reached.sequence + 1):
            self._report(f"Entry {reached.sequence + 1} is missing.")
            return None
        is_at_end = known is None or reached.sequence >= known.sequence or reached.sequence < until
        return None if is_at_end else Place(self._org_id, *reached)

    def _report(self, reason: str) -> None:
        self._anchors.report(FaultKind.CHANGED, self._org_id, reason)


def _is_due(file: int) -> bool:
    return age_s(file) >= EVERY_S / 2


def _stored(file: int) -> Place | None:
    try:
        workspace, sequence, hash = orjson.loads(os.pread(file, 4096, 0))
    except (ValueError, TypeError):
        return None
    is_place = isinstance(workspace, str) and type(sequence) is int and isinstance(hash, str)
    return Place(workspace, sequence, hash) if is_place else None


def _store(file: int, place: Place | None) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, orjson.dumps(list(place or ())), 0)
