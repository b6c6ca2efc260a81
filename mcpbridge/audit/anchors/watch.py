"""Compare the database with the anchors of this node, and verify new rows before anything is signed.

A chain is trusted from the anchor on: each row behind it is hashed again from its facts and must follow the row before
it. Checkpoints of other nodes must be signed by our line of keys and name the hash of that row.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from mcpbridge.audit.anchors.faults import NODE, FaultKind
from mcpbridge.audit.anchors.memory import NodeAnchors, UnadoptedLogError, Verified
from mcpbridge.audit.anchors.new_rows import NewRows, signed_cut
from mcpbridge.audit.anchors.witnessed import NoWitnessError, WitnessedFindingError, witnessed_checkpoint
from mcpbridge.audit.epochs.following import NotFollowedError, follow
from mcpbridge.audit.epochs.stored import stored_restores
from mcpbridge.audit.errors import SigningRefusedError
from mcpbridge.audit.export.source import UNREADABLE, checkpoint_of
from mcpbridge.audit.hashchain import Head, genesis
from mcpbridge.audit.heads import ChainStatus, chain_statuses, head_of
from mcpbridge.audit.keyring import is_registered, key_line, refuse_unannounced, usable_key
from mcpbridge.audit.log_tree.origins import new_origin
from mcpbridge.audit.log_tree.signed_heads import sign_head
from mcpbridge.audit.signing import configured_key
from mcpbridge.audit.verification.records import Checkpoint
from mcpbridge.db.timeouts import bounded_read
from mcpbridge.models import AuditEvent, SigningHead, SigningKey
from mcpbridge.observability import metrics

LIMIT_S = 5.0
UNREADABLE_TEXT = "A column in the database holds a value that its type does not allow."
RENEW_AFTER = timedelta(seconds=10)


class AnchorWatch:
    """One look at the database with the keys that are valid when it begins.

    Unless it `verifies_rows`, it only takes over what another process of the node verifies, and compares known heads.
    """

    def __init__(self, anchors: NodeAnchors, alias: str, *, verifies_rows: bool = True) -> None:
        self._anchors = anchors
        self._alias = alias
        self._verifies_rows = verifies_rows
        self._trust = key_line(alias)

    def look(self) -> None:
        """Check every workspace of the anchors and of the database, and renew anchors behind new rows."""
        with self._anchors.looking:
            # Read before the anchors: the file of a log that begins is written before its first entry is committed.
            statuses = {status.org_id: status for status in chain_statuses(self._alias)}
            self._anchors.sync()
            # Read after the anchors: what signed them was stored before.
            self._trust = key_line(self._alias)
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
        # Read before the key: another thread may store the first key, sign, and move an anchor meanwhile.
        anchors = [self._anchors.anchor(org_id) for org_id in sorted(self._anchors.workspaces())]
        if is_registered(key):
            return
        for anchor in anchors:
            if anchor is not None and anchor.sequence > 0 and anchor.key_id == key.key_id:
                reason = f"The signing key {key.key_id} is no longer in the database."
                self._anchors.report(FaultKind.CHANGED, anchor.workspace, reason)
                return
        if SigningKey.objects.using(self._alias).exists():
            refuse_unannounced(key)

    def _check(self, org_id: str, status: ChainStatus | None) -> bool:
        """Compare one workspace with its anchor and verify its new rows; return whether they are, up to the last."""
        anchor = self._anchors.anchor(org_id)
        if anchor is None or (self._anchors.is_witnessed and org_id not in self._anchors.answered):
            anchor = self._first_anchor(org_id, status)
        if anchor is not None and anchor.origin and self._trust.fault(anchor) is None:
            anchor = self._follow(anchor)
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
        return self._verifies_rows and NewRows(self._anchors, self._alias, self._trust, anchor).verify()

    def _follow(self, anchor: Checkpoint) -> Checkpoint | None:
        """Follow the statements of later epochs, and return the anchor then; None if one must not be followed."""
        org_id = anchor.workspace
        for restore in stored_restores(self._alias, org_id, after=anchor.epoch):
            try:
                begun = follow(anchor, restore, self._trust)
            except NotFollowedError as error:
                self._anchors.report(error.kind, org_id, str(error))
                return None
            head, key = Head(anchor.sequence, anchor.hash), usable_key(self._alias)
            if key is None or (head.sequence <= begun.kept.sequence and not self._stands(org_id, head)):
                return None
            anchor = begun.anchor(key)
            self._anchors.follow(anchor)
        return anchor

    def _first_anchor(self, org_id: str, status: ChainStatus | None) -> Checkpoint | None:
        """Anchor a log that is new, or of which nothing outside the database may be kept; else None: to be adopted."""
        is_new = status is None or not (status.sequence or status.signed or self._cut(org_id, 0))
        if not self._anchors.is_outside:
            return self._stored_anchor(org_id)
        # It had no entries when this process first looked, so it began meanwhile, maybe on another node.
        has_begun = self._anchors.has_looked and org_id not in self._anchors.unadopted
        if self._anchors.is_witnessed:
            try:
                found = witnessed_checkpoint(self._anchors, self._alias, org_id, self._trust)
            except WitnessedFindingError as finding:
                self._report(finding.kind, org_id, str(finding))
                return None
            except NoWitnessError as error:
                self._anchors.await_witness(org_id, str(error))
                return None
            if found is not None:
                self._anchors.move(found)
                return self._anchors.anchor(org_id)
            if not is_new and not head_of(self._alias, org_id).epoch:
                # Witnesses cosign trees, which logs of format 1 do not have.
                return self._stored_anchor(org_id)
        if is_new or has_begun:
            self._anchors.begin(org_id, new_origin(self._alias, org_id))
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
            if head_of(self._alias, org_id).epoch:
                self._report(FaultKind.CHANGED, org_id, "All its checkpoints are missing.")
                return None
            head = Head(cut.sequence, cut.hash)
            self._anchors.move(sign_head(configured_key(), org_id, head, reason="anchor"))
        else:
            self._anchors.begin(org_id, new_origin(self._alias, org_id))
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

    def _renew(self, org_id: str) -> None:
        """Sign a new anchor if rows came and the last one is some seconds old, so that little stays unsigned."""
        anchor, verified = self._anchors.anchor(org_id), self._anchors.verified_tree(org_id)
        if anchor is None or verified is None or self._anchors.faults:
            return
        head, tree = verified
        if head.sequence <= anchor.sequence:
            return
        if abs(timezone.now() - datetime.fromisoformat(anchor.at)) < RENEW_AFTER:
            return
        if (key := usable_key(self._alias)) is not None:
            self._anchors.move(sign_head(key, org_id, head, reason="anchor", tree=tree), tree)

    def _report(self, kind: FaultKind, org_id: str, reason: str) -> bool:
        self._anchors.report(kind, org_id, reason)
        return False


def verified_heads(anchors: NodeAnchors, alias: str, org_ids: Sequence[str], *, is_strict: bool) -> dict[str, Verified]:
    """Return the rows that may be signed, in format 2 with their trees, after a look at all logs.

    One finding stops every signature. A log without an anchor is omitted; with `is_strict` it raises
    UnadoptedLogError. Raises AnchorFaultError, and SigningRefusedError if the anchors cannot be read.
    """
    try:
        look(anchors, alias)
    except OSError as error:
        raise SigningRefusedError(f"The anchors of this node cannot be read: {error.strerror}.") from None
    anchors.refuse_if_faulty()
    found = {org_id: verified for org_id in org_ids if (verified := anchors.verified_tree(org_id)) is not None}
    if is_strict and (missing := next((org_id for org_id in org_ids if org_id not in found), "")):
        raise UnadoptedLogError(
            f"This node has no anchor of the audit log of workspace {missing}, so it does not sign it. An operator"
            f" checks the log and runs `{settings.MANAGE_COMMAND} audit_anchor --adopt --reason …` on this node."
        )
    return found


def look(anchors: NodeAnchors, alias: str, *, verifies_rows: bool = True) -> None:
    """Compare the database with every anchor; findings are kept, not raised."""
    with bounded_read(alias, limit_s=LIMIT_S):
        try:
            AnchorWatch(anchors, alias, verifies_rows=verifies_rows).look()
        except UNREADABLE:
            anchors.report(FaultKind.CHANGED, NODE, UNREADABLE_TEXT)
