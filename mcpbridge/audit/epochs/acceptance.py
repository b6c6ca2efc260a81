"""Accept what a restore left of a log: state what was given up, and let the log continue in a new epoch.

Run by an operator on the node whose anchor is furthest. What is left must verify as a whole. The statement, which the
node signs, and the entry about it are committed together.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from mcpbridge.audit.anchors.memory import NodeAnchors, node_anchors
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.epochs.stored import last_epoch, signed_restore, store_restore
from mcpbridge.audit.epochs.trees import chain_head, sign_tree_head, tree_of
from mcpbridge.audit.errors import SigningRefusedError
from mcpbridge.audit.export.source import Selection, chain_records
from mcpbridge.audit.hashchain import Head, genesis, instant
from mcpbridge.audit.heads import lock_heads
from mcpbridge.audit.keyring import key_line, register_first_key, signing_key
from mcpbridge.audit.log_tree.growing import LogTree
from mcpbridge.audit.rows import NOTE_LENGTH
from mcpbridge.audit.signing import SigningKeyPair
from mcpbridge.audit.tree.merkle import CompactRange
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.tree.restores import ChainHead, EpochStatement
from mcpbridge.audit.verification import Unsigned, UnusableInputError, verify
from mcpbridge.audit.verification.records import Checkpoint, Restore
from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.models import AuditCut, AuditEvent

ACTION = "console.audit_restore"


class RestoreRefusedError(Exception):
    """The log cannot be accepted as it is. The text may be shown to operators."""


class WrittenMeanwhileError(RestoreRefusedError):
    """Rows were written while the log was verified. The text may be shown to operators."""


def accept_restore(*, org_id: str, reason: str, actor: str) -> EpochStatement:
    """Accept that the end of the workspace's log is gone, and return the signed statement.

    Raises ValueError without a reason, RestoreRefusedError, SigningRefusedError, AuditUnavailableError and OSError.
    """
    if not (reason := sanitize_text(reason.strip(), NOTE_LENGTH)):
        raise ValueError("Give a reason with --reason; it is signed and written into the audit log.")
    alias, anchors = router.db_for_write(AuditEvent), node_anchors()
    anchors.sync()
    anchor = _anchor(anchors, org_id)
    _refuse_stated(alias, anchor)
    known = anchors.verified_tree(org_id)
    statement = _statement(alias, anchor, reason, known.tree if known else None)
    begin_epoch(alias, statement, signing_key_of(alias), actor=actor)
    return statement


def begin_epoch(
    alias: str,
    statement: EpochStatement,
    key: SigningKeyPair,
    *,
    actor: str,
    action: str = ACTION,
    lost: Mapping[str, Any] | None = None,
) -> None:
    """Sign and store a statement, record it as an entry of the new epoch, and anchor the log there.

    `lost` is the head that the entry names as given up, if it is not that of the statement. All rows must verify with
    the statement. Raises RestoreRefusedError, AuditUnavailableError, SigningRefusedError and OSError.
    """
    org_id, restore = statement.origin.workspace, signed_restore(statement, key)
    # Before the chain is locked, which holds up every writer.
    _refuse_unverified(alias, org_id, restore)
    with transaction.atomic(using=alias):
        lock_heads(alias, [org_id])
        if kept_head(alias, org_id, statement.origin.epoch) != (statement.kept.sequence, statement.kept.hash):
            raise WrittenMeanwhileError("Another process wrote to the log meanwhile. Run the command again.")
        store_restore(alias, restore)
        _record(statement, actor, action, lost)
    anchors = node_anchors()
    anchors.adopt(sign_tree_head(key, statement.to, statement.kept, reason="anchor"))
    if not anchors.faults:
        make_checkpoints(reason="demand", org_id=org_id)


def signing_key_of(alias: str) -> SigningKeyPair:
    """Return the configured key, registered as the first one if a restore left no key. Raises SigningRefusedError."""
    with transaction.atomic(using=alias):
        register_first_key(alias)
        return signing_key(alias)


def _anchor(anchors: NodeAnchors, org_id: str) -> Checkpoint:
    anchor = anchors.anchor(org_id)
    if anchor is None:
        raise RestoreRefusedError(
            "This node has no anchor of the log, so it cannot state what was given up. Run this on the node with the"
            " furthest anchor; on a node without one, use audit_anchor --adopt."
        )
    if not anchor.origin:
        raise RestoreRefusedError(
            "The log is of format 1, which has no epochs: use audit_anchor --adopt, and then audit_upgrade."
        )
    return anchor


def _refuse_unverified(alias: str, org_id: str, *statements: Restore) -> None:
    """Raise RestoreRefusedError unless all rows verify with the stored statements and these."""
    records = chain(statements, chain_records(Selection(workspace=org_id)))
    try:
        (found,) = verify(records, key_line(alias), workspaces=[org_id], only=org_id, unsigned=Unsigned.ALLOWED).chains
    except UnusableInputError as error:
        raise RestoreRefusedError(str(error)) from None
    if bad := found.finding:
        raise RestoreRefusedError(f"What is left does not verify: {bad.kind} at row {bad.sequence}: {bad.reason}.")


def _refuse_stated(alias: str, anchor: Checkpoint) -> None:
    if (stated := last_epoch(alias, anchor.workspace)) > anchor.epoch:
        raise RestoreRefusedError(
            f"Another node has stated epoch {stated} already, and this node does not follow it: its anchor is at entry"
            f" {anchor.sequence} of epoch {anchor.epoch}. Compare them, then use audit_anchor --adopt on this node."
        )


def _statement(alias: str, anchor: Checkpoint, reason: str, known: LogTree | None) -> EpochStatement:
    """State what is kept. Raises RestoreRefusedError if nothing is missing, or if the log was changed otherwise.

    `known` is the tree of the anchor, as far as this node has it.
    """
    origin = Origin.parse(anchor.origin)
    kept = kept_head(alias, anchor.workspace, origin.epoch)
    if kept.sequence >= anchor.sequence:
        raise RestoreRefusedError(
            f"The log does not lack its end: it has entry {kept.sequence}, and the anchor is at {anchor.sequence}."
            " If it was changed otherwise, restore a backup that agrees with the anchor."
        )
    try:
        tree = tree_of(alias, key_line(alias), origin, kept.sequence)
    except SigningRefusedError:
        # What is wrong with the rows says more.
        _refuse_unverified(alias, anchor.workspace)
        raise
    if known is not None:
        _refuse_other_entries(known, tree)
    given_up = ChainHead(anchor.sequence, anchor.hash, anchor.root)
    return EpochStatement(origin, given_up, chain_head(kept, tree), instant(timezone.now()), reason)


def _refuse_other_entries(known: LogTree, kept: CompactRange) -> None:
    """Raise RestoreRefusedError if entries that are left are not those of the tree that this node signed.

    Also of entries behind the last checkpoint in the database. Two trees share the nodes of the leaves up to the
    first bit in which their sizes differ; what follows in the smaller one is in no node of the larger one.
    """
    shared, size = 0, 0
    for mine, left in zip(_aligned(known.range.size), _aligned(kept.size), strict=False):
        if mine != left:
            break
        shared, size = shared + 1, size + mine
    if known.range.nodes[:shared] != kept.nodes[:shared]:
        raise RestoreRefusedError(
            f"What is left was changed: entries {known.origin.first} to {known.origin.first + size - 1} are not those"
            " that this node signed. Restore a backup that agrees with the anchor."
        )


def _aligned(size: int) -> list[int]:
    """Return the sizes of the complete subtrees of a tree, from left to right."""
    return [1 << bit for bit in reversed(range(size.bit_length())) if size >> bit & 1]


def kept_head(alias: str, org_id: str, epoch: int) -> Head:
    """Return the last row of the epochs up to `epoch`; rows written since the restore are of the next one."""
    rows = AuditEvent.objects.using(alias).filter(org_id=org_id, epoch__lte=epoch)
    if last := rows.order_by("-sequence").values_list("sequence", "hash").first():
        return Head(*last)
    cuts = AuditCut.objects.using(alias).filter(org_id=org_id).order_by("-sequence")
    cut = cuts.values_list("sequence", "hash").first()
    return Head(*cut) if cut else genesis(org_id)


def has_row(alias: str, anchor: Checkpoint) -> bool:
    """Return whether the row of an anchor is as it was, or was pruned."""
    if not anchor.sequence:
        return True
    rows = AuditEvent.objects.using(alias).filter(org_id=anchor.workspace, sequence=anchor.sequence)
    hash = rows.values_list("hash", flat=True).first()
    cuts = AuditCut.objects.using(alias).filter(org_id=anchor.workspace, sequence__gte=anchor.sequence)
    return hash == anchor.hash or (hash is None and cuts.exists())


def _record(statement: EpochStatement, actor: str, action: str, lost: Mapping[str, Any] | None) -> None:
    said = statement.as_dict()
    record_event(
        org_id=statement.origin.workspace,
        action=action,
        actor=actor,
        target_type="audit_record",
        epoch=statement.to.epoch,
        target_label=f"epoch {statement.to.epoch}, kept up to row {statement.kept.sequence}",
        note=statement.reason,
        details={"epoch": statement.to.epoch, "kept": said["kept"], "given_up": lost or said["from"]},
    )
