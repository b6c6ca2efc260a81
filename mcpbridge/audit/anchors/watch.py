"""Compare the database with the anchors of this node, and verify new rows before anything is signed.

A chain is trusted from the anchor on: each row behind it is hashed again from its facts and must follow the row before
it. Checkpoints of other nodes must be signed by our line of keys and name the hash of that row.
"""

import time
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from mcpbridge.audit.anchors.faults import NODE, FaultKind
from mcpbridge.audit.anchors.memory import NodeAnchors, UnadoptedLogError, sign_head
from mcpbridge.audit.errors import SigningRefusedError
from mcpbridge.audit.export.source import UNREADABLE, Selection, checkpoint_of, event_records
from mcpbridge.audit.hashchain import Head, genesis
from mcpbridge.audit.heads import ChainStatus, chain_statuses
from mcpbridge.audit.keyring import is_registered, key_line, refuse_unannounced, usable_key
from mcpbridge.audit.signing import configured_key
from mcpbridge.audit.verification.records import Checkpoint, Event, has_valid_hash
from mcpbridge.audit.verification.trust import Trust
from mcpbridge.db.timeouts import bounded_read
from mcpbridge.models import AuditCut, AuditEvent, SigningHead, SigningKey
from mcpbridge.observability import metrics

LIMIT_S = 5.0
UNREADABLE_TEXT = "A column in the database holds a value that its type does not allow."
RENEW_AFTER = timedelta(seconds=10)


class AnchorWatch:
    """One look at the database with the keys that were valid when it began."""

    def __init__(self, anchors: NodeAnchors, alias: str) -> None:
        self._anchors = anchors
        self._alias = alias
        self._trust = key_line(alias)

    def look(self) -> None:
        """Check every workspace of the anchors and of the database, and renew anchors behind new rows."""
        with self._anchors.looking:
            self._anchors.sync()
            statuses = {status.org_id: status for status in chain_statuses(self._alias)}
            self._check_keys()
            for org_id in sorted({*self._anchors.workspaces(), *statuses}):
                try:
                    if self._check(org_id, statuses.get(org_id)):
                        self._renew(org_id)
                except UNREADABLE:
                    self._report(FaultKind.CHANGED, org_id, UNREADABLE_TEXT)
            self._anchors.has_looked = True
            metrics.audit_anchor_missing.set(len(self._anchors.unadopted))

    def _check_keys(self) -> None:
        """Report a key table without the key that signed an anchor of this node.

        Raises UnannouncedKeyError if it is the configured key that is another one.
        """
        key = configured_key()
        if is_registered(key):
            return
        anchors = [self._anchors.anchor(org_id) for org_id in sorted(self._anchors.workspaces())]
        for anchor in anchors:
            if anchor is not None and anchor.sequence > 0 and anchor.key_id == key.key_id:
                reason = f"The signing key {key.key_id} was removed from the database."
                self._anchors.report(FaultKind.CHANGED, anchor.workspace, reason)
                return
        if SigningKey.objects.using(self._alias).exists():
            refuse_unannounced(key)

    def _check(self, org_id: str, status: ChainStatus | None) -> bool:
        """Compare one workspace with its anchor and verify its new rows; return whether all is well."""
        anchor = self._anchors.anchor(org_id) or self._first_anchor(org_id, status)
        if anchor is None or any(fault.workspace == org_id for fault in self._anchors.faults):
            return False
        if (fault := self._trust.fault(anchor)) and anchor.sequence == 0:
            # It says nothing yet, and may have been made while another key was configured.
            self._anchors.disown(org_id)
            return False
        if fault:
            return self._report(FaultKind.CHANGED, org_id, f"Its anchor is not signed by our line of keys: {fault[1]}.")
        known = {Head(anchor.sequence, anchor.hash), self._anchors.verified(org_id), self._anchors.written(org_id)}
        if floor := self._anchors.floors.get(org_id):
            known.add(Head(floor.sequence, floor.hash))
        if not all(self._stands(org_id, head) for head in sorted(head for head in known if head is not None)):
            return False
        return self._extend(org_id, anchor)

    def _first_anchor(self, org_id: str, status: ChainStatus | None) -> Checkpoint | None:
        """Anchor a log that is new, or of which nothing outside the database may be kept; else None: to be adopted."""
        is_new = status is None or not (status.sequence or status.signed or self._cut(org_id, 0))
        if not self._anchors.is_outside:
            return self._stored_anchor(org_id)
        # It had no entries when this process first looked, so it began meanwhile, maybe on another node.
        has_begun = self._anchors.has_looked and org_id not in self._anchors.unadopted
        if is_new or has_begun:
            self._anchors.begin(org_id)
            return self._anchors.anchor(org_id)
        self._anchors.await_adoption(org_id)
        return None

    def _stored_anchor(self, org_id: str) -> Checkpoint | None:
        """Begin, without anchors, at the newest checkpoint or cut in the database that our keys signed."""
        newest = SigningHead.objects.using(self._alias).filter(org_id=org_id).order_by("-sequence", "-id").first()
        cut = self._cut(org_id, 0)
        if newest is not None:
            self._anchors.move(checkpoint_of(newest))
        elif cut is not None:
            head = Head(cut.sequence, cut.hash)
            self._anchors.move(sign_head(configured_key(), org_id, head, reason="anchor"))
        else:
            self._anchors.begin(org_id)
        return self._anchors.anchor(org_id)

    def _stands(self, org_id: str, head: Head) -> bool:
        """Return whether the database still has this row, or a signed cut instead of it; report a finding if not."""
        if head.sequence == 0:
            return head.hash == genesis(org_id).hash or self._report(
                FaultKind.CHANGED, org_id, "Its anchor begins at another workspace's genesis."
            )
        rows = AuditEvent.objects.using(self._alias).filter(org_id=org_id)
        hash = rows.filter(sequence=head.sequence).values_list("hash", flat=True).first()
        # Read after the row: pruning removes a row and stores the cut in one transaction.
        if hash is None and (cut := self._cut(org_id, head.sequence)) is not None:
            hash = cut.hash if cut.sequence == head.sequence else head.hash
        if hash == head.hash:
            return True
        if hash is not None:
            return self._report(FaultKind.CHANGED, org_id, f"Entry {head.sequence} has another hash than it had.")
        last = rows.order_by("-sequence").values_list("sequence", flat=True).first()
        if last is None:
            return self._report(FaultKind.CHANGED, org_id, f"All entries are missing; {head.sequence} was the last.")
        if last > head.sequence:
            return self._report(FaultKind.CHANGED, org_id, f"Entry {head.sequence} is missing.")
        reason = f"The log ends at entry {last}, but it had entry {head.sequence}."
        return self._report(FaultKind.BEHIND, org_id, reason)

    def _cut(self, org_id: str, sequence: int) -> Checkpoint | None:
        return signed_cut(self._alias, self._trust, org_id, sequence)

    def _extend(self, org_id: str, anchor: Checkpoint) -> bool:
        """Verify the rows behind the last verified one, for 5 seconds at most; the next look continues."""
        begun = self._anchors.verified(org_id) or Head(anchor.sequence, anchor.hash)
        heads = SigningHead.objects.using(self._alias).filter(org_id=org_id, sequence__gt=begun.sequence)
        # Read before the rows, so that the row of each is there.
        signed = deque(checkpoint_of(each) for each in heads.order_by("sequence", "id"))
        rows = Selection(workspace=org_id, narrow=lambda events: events.filter(sequence__gt=begun.sequence))
        head, last, until = begun, anchor, time.monotonic() + LIMIT_S
        for event in event_records(rows):
            head = self._after_cut(event, begun) if head == begun else head
            if event.sequence != head.sequence + 1 or event.previous_hash != head.hash or not has_valid_hash(event):
                return self._report(FaultKind.CHANGED, org_id, not_following(event, head))
            head = Head(event.sequence, event.hash)
            while signed and signed[0].sequence <= head.sequence:
                if not self._agrees(signed[0], head, last.key_id):
                    return False
                last = signed.popleft()
            if time.monotonic() > until:
                break
        else:
            if signed:
                return self._report_missing(signed[0], head)
        self._anchors.remember_verified(org_id, head)
        if last.sequence > anchor.sequence:
            self._anchors.move(last)
        return True

    def _after_cut(self, event: Event, head: Head) -> Head:
        """Return where the chain continues before `event` if rows behind `head` were pruned, else `head`."""
        if event.sequence <= head.sequence + 1:
            return head
        cut = self._cut(event.workspace, event.sequence - 1)
        return Head(cut.sequence, cut.hash) if cut and cut.sequence == event.sequence - 1 else head

    def _report_missing(self, signed: Checkpoint, head: Head) -> bool:
        """Report a checkpoint behind the last row."""
        if fault := self._trust.fault(signed):
            reason = f"A checkpoint in the database is not ours: {fault[1]}."
            return self._report(FaultKind.CHANGED, signed.workspace, reason)
        reason = f"The log ends at entry {head.sequence}, but a checkpoint names entry {signed.sequence}."
        return self._report(FaultKind.BEHIND, signed.workspace, reason)

    def _agrees(self, signed: Checkpoint, head: Head, key_id: str) -> bool:
        org_id = signed.workspace
        if fault := self._trust.fault(signed):
            return self._report(FaultKind.CHANGED, org_id, f"A checkpoint in the database is not ours: {fault[1]}.")
        if signed.key_id in self._trust.predecessors(key_id):
            reason = f"The checkpoint at entry {signed.sequence} is signed with the retired key {signed.key_id}."
            return self._report(FaultKind.CHANGED, org_id, reason)
        if signed.sequence == head.sequence and signed.hash != head.hash:
            reason = f"The checkpoint at entry {signed.sequence} names another hash."
            return self._report(FaultKind.CHANGED, org_id, reason)
        return True

    def _renew(self, org_id: str) -> None:
        """Sign a new anchor if rows came and the last one is some seconds old, so that little stays unsigned."""
        anchor, head = self._anchors.anchor(org_id), self._anchors.verified(org_id)
        if anchor is None or head is None or head.sequence <= anchor.sequence or self._anchors.faults:
            return
        if abs(timezone.now() - datetime.fromisoformat(anchor.at)) < RENEW_AFTER:
            return
        if (key := usable_key(self._alias)) is not None:
            self._anchors.move(sign_head(key, org_id, head, reason="anchor"))

    def _report(self, kind: FaultKind, org_id: str, reason: str) -> bool:
        self._anchors.report(kind, org_id, reason)
        return False


def not_following(event: Event, head: Head) -> str:
    """Return the reason of a finding: `event` is not the row behind `head`."""
    return f"Entry {event.sequence} does not follow entry {head.sequence}, or its content was changed."


def signed_cut(alias: str, trust: Trust, org_id: str, sequence: int) -> Checkpoint | None:
    """Return the nearest cut at or after `sequence` that a trusted key signed."""
    cuts = AuditCut.objects.using(alias).filter(org_id=org_id, sequence__gte=sequence)
    for cut in cuts.order_by("sequence"):
        if trust.fault(found := checkpoint_of(cut)) is None:
            return found
    return None


def verified_heads(anchors: NodeAnchors, alias: str, org_ids: Sequence[str], *, is_strict: bool) -> dict[str, Head]:
    """Return the rows that may be signed, after a look at all logs: one finding stops every signature.

    A log without an anchor is omitted; with `is_strict` it raises UnadoptedLogError. Raises AnchorFaultError, and
    SigningRefusedError if the anchors cannot be read.
    """
    try:
        look(anchors, alias)
    except OSError as error:
        raise SigningRefusedError(f"The anchors of this node cannot be read: {error.strerror}.") from None
    anchors.refuse_if_faulty()
    found = {org_id: head for org_id in org_ids if (head := anchors.verified(org_id)) is not None}
    if is_strict and (missing := next((org_id for org_id in org_ids if org_id not in found), "")):
        raise UnadoptedLogError(
            f"This node has no anchor of the audit log of workspace {missing}, so it does not sign it. An operator"
            " checks the log and runs `manage.py audit_anchor --adopt --reason …` on this node."
        )
    return found


def look(anchors: NodeAnchors, alias: str) -> None:
    """Compare the database with every anchor; findings are kept, not raised."""
    with bounded_read(alias, limit_s=LIMIT_S):
        try:
            AnchorWatch(anchors, alias).look()
        except UNREADABLE:
            anchors.report(FaultKind.CHANGED, NODE, UNREADABLE_TEXT)
