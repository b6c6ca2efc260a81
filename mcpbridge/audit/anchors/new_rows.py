"""Verify the rows behind an anchor: each is hashed again, follows the one before it, and is appended to the tree."""

import time
from collections import deque

from django.db.models import Count, Max

from mcpbridge.audit.anchors.faults import FaultKind
from mcpbridge.audit.anchors.memory import NodeAnchors
from mcpbridge.audit.export.source import Selection, checkpoint_of, event_records
from mcpbridge.audit.hashchain import Head
from mcpbridge.audit.keyring import key_line
from mcpbridge.audit.log_tree.growing import LogTree, continued_tree, signed_tree
from mcpbridge.audit.log_tree.origins import new_origin
from mcpbridge.audit.tree.errors import ProofError
from mcpbridge.audit.tree.merkle import CompactRange
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.verification.records import Checkpoint, Event, has_valid_hash
from mcpbridge.audit.verification.trust import Trust
from mcpbridge.models import AuditCut, SigningHead

LIMIT_S = 5.0
# A log without new rows gets a checkpoint every 15 minutes, all at its last row; as many are verified when one came.
_CHECKPOINTS_AT_ONE_ROW = 100


class _FindingError(Exception):
    """What is wrong with the log. The text is the reason of a finding."""

    def __init__(self, reason: str, kind: FaultKind = FaultKind.CHANGED) -> None:
        super().__init__(reason)
        self.kind = kind


class NewRows:
    """The rows of one log behind its anchor, whose signature was verified."""

    def __init__(self, anchors: NodeAnchors, alias: str, trust: Trust, anchor: Checkpoint) -> None:
        self._anchors = anchors
        self._alias = alias
        self._trust = trust
        self._anchor = anchor
        self._org_id = anchor.workspace

    def verify(self) -> bool:
        """Verify them for 5 seconds at most, the next look continues; report what is wrong and return False."""
        try:
            self._verify()
        except _FindingError as finding:
            self._anchors.report(finding.kind, self._org_id, str(finding))
            return False
        except ProofError as error:
            self._anchors.report(FaultKind.CHANGED, self._org_id, f"Its tree is not the one that was signed: {error}.")
            return False
        return True

    def _verify(self) -> None:
        anchor = self._anchor
        begun = self._anchors.verified(self._org_id) or Head(anchor.sequence, anchor.hash)
        tree = self._tree_at(begun)
        self._verify_checkpoints_at(begun, tree)
        heads = SigningHead.objects.using(self._alias).filter(org_id=self._org_id, sequence__gt=begun.sequence)
        # Read before the rows, so that the row of each is there.
        signed = deque(checkpoint_of(each) for each in heads.order_by("sequence", "id"))
        rows = Selection(workspace=self._org_id, narrow=lambda events: events.filter(sequence__gt=begun.sequence))
        head, last, until = begun, anchor, time.monotonic() + LIMIT_S
        last_tree = tree.copy() if tree else None
        for event in event_records(rows):
            if head == begun and event.sequence > head.sequence + 1:
                head, tree = self._after_cut(event, head, tree)
            if event.sequence != head.sequence + 1 or event.previous_hash != head.hash or not has_valid_hash(event):
                raise _FindingError(not_following(event, head))
            head, tree = Head(event.sequence, event.hash), self._grown(tree, event)
            while signed and signed[0].sequence <= head.sequence:
                tree = self._agreeing(signed[0], head, tree, last.key_id)
                last, last_tree = signed.popleft(), tree.copy() if tree else None
            if time.monotonic() > until:
                break
        else:
            if signed:
                self._refuse_ahead(signed[0], head)
        self._anchors.remember_verified(self._org_id, head, tree)
        if last.sequence > anchor.sequence:
            self._anchors.move(last, last_tree)

    def _verify_checkpoints_at(self, begun: Head, tree: LogTree | None) -> None:
        """Verify the newest checkpoints at the row that was verified last, unless they are the same as before."""
        heads = SigningHead.objects.using(self._alias).filter(org_id=self._org_id, sequence=begun.sequence)
        # Where, how many, and the newest: a replaced one has a number of its own.
        found = heads.aggregate(number=Count("id"), newest=Max("id"))
        counted = begun.sequence, found["number"], found["newest"]
        if self._anchors.verified_checkpoints.get(self._org_id) == counted:
            return
        for head in heads.order_by("-id")[:_CHECKPOINTS_AT_ONE_ROW]:
            signed = checkpoint_of(head)
            self._refuse_foreign(signed)
            # Those from before an upgrade or a restore are of another tree, up to the same row.
            is_of_tree = tree is not None and signed.origin == str(tree.origin)
            self._refuse_other(signed, begun, tree if is_of_tree else None)
        self._anchors.verified_checkpoints[self._org_id] = counted

    def _tree_at(self, begun: Head) -> LogTree | None:
        """Return the tree up to the verified row, which grows from here; None in format 1."""
        known = self._anchors.verified_tree(self._org_id)
        if known is not None and known.tree is not None:
            return known.tree.copy()
        if self._anchor.origin:
            return signed_tree(self._alias, self._anchor)
        if begun.sequence == 0:
            return LogTree(Origin.parse(new_origin(self._alias, self._org_id)), CompactRange())
        return None

    def _grown(self, tree: LogTree | None, event: Event) -> LogTree | None:
        """Return the tree with the row; None for a row of format 1."""
        epoch = (event.facts or {}).get("epoch", 0)
        if tree is not None and not tree.range.size and not epoch and not self._anchor.origin:
            return None
        if epoch != (tree.origin.epoch if tree else 0):
            raise _FindingError(f"Entry {event.sequence} is of another epoch or format than its place.")
        if tree is not None:
            tree.append(event.hash)
        return tree

    def _after_cut(self, event: Event, head: Head, tree: LogTree | None) -> tuple[Head, LogTree | None]:
        """Return where the chain continues before `event` if rows behind `head` were pruned, else `head`."""
        cut = signed_cut(self._alias, self._trust, self._org_id, event.sequence - 1)
        if cut is None or cut.sequence != event.sequence - 1:
            return head, tree
        return Head(cut.sequence, cut.hash), continued_tree(self._alias, tree, cut.sequence) if tree else None

    def _refuse_ahead(self, signed: Checkpoint, head: Head) -> None:
        """Report a checkpoint behind the last row."""
        self._refuse_foreign(signed)
        reason = f"The log ends at entry {head.sequence}, but a checkpoint names entry {signed.sequence}."
        raise _FindingError(reason, FaultKind.BEHIND)

    def _refuse_foreign(self, signed: Checkpoint) -> None:
        # Its key may have been announced since the line of keys was read.
        if self._trust.fault(signed) and (fault := key_line(self._alias).fault(signed)):
            raise _FindingError(f"A checkpoint in the database is not ours: {fault[1]}.")

    def _refuse_other(self, signed: Checkpoint, head: Head, tree: LogTree | None) -> None:
        """Report a checkpoint at `head` that names another hash or, of the same tree, another root."""
        if signed.hash != head.hash:
            raise _FindingError(f"The checkpoint at entry {signed.sequence} names another hash.")
        if tree is not None and signed.root != tree.root:
            raise _FindingError(f"The checkpoint at entry {signed.sequence} names another root.")

    def _agreeing(self, signed: Checkpoint, head: Head, tree: LogTree | None, key_id: str) -> LogTree | None:
        """Return the tree up to a checkpoint that agrees with the rows; the first of format 2 begins it."""
        self._refuse_foreign(signed)
        place = f"The checkpoint at entry {signed.sequence}"
        if signed.key_id in self._trust.predecessors(key_id):
            raise _FindingError(f"{place} is signed with the retired key {signed.key_id}.")
        if signed.sequence == head.sequence:
            self._refuse_other(signed, head, None)
        if tree is None:
            return signed_tree(self._alias, signed) if signed.origin else None
        if signed.origin != str(tree.origin):
            raise _FindingError(f"{place} is of another tree, {signed.origin or 'of format 1'}.")
        if signed.sequence == head.sequence:
            self._refuse_other(signed, head, tree)
        return tree


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
