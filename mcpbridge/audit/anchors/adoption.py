"""Adopt an audit log: verify it whole, and let the anchor of this node begin at its end.

For logs that were written before this node had anchors, and after an operator has found out what a finding means.
Nothing is adopted that does not verify, and the adoption is an entry of the log.
"""

from django.db import router, transaction
from django.utils import timezone

from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.checkpoints import make_checkpoints
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.epochs.acceptance import RestoreRefusedError, begin_epoch, has_row, kept_head, signing_key_of
from mcpbridge.audit.epochs.stored import last_epoch
from mcpbridge.audit.epochs.trees import chain_head, tree_of
from mcpbridge.audit.errors import SigningRefusedError
from mcpbridge.audit.export.source import checkpoint_of, stored_keys
from mcpbridge.audit.hashchain import Head, instant
from mcpbridge.audit.heads import head_of
from mcpbridge.audit.keyring import is_registered, key_line, register_first_key, signing_key
from mcpbridge.audit.log_tree.growing import LogTree, signed_tree
from mcpbridge.audit.log_tree.origins import log_name
from mcpbridge.audit.log_tree.signed_heads import sign_head
from mcpbridge.audit.log_tree.tiles import stored_leaves
from mcpbridge.audit.rows import NOTE_LENGTH
from mcpbridge.audit.signing import configured_key
from mcpbridge.audit.tree.errors import ProofError
from mcpbridge.audit.tree.merkle import CompactRange
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.tree.restores import EpochStatement
from mcpbridge.audit.verification import UnusableInputError
from mcpbridge.audit.verification.key_files import trust_from_text
from mcpbridge.audit.verification.records import Checkpoint
from mcpbridge.audit.verification.sources import verify_stored
from mcpbridge.audit.verification.trust import Trust
from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.models import AuditEvent, SigningHead

ACTION = "console.audit_anchor"


class AdoptionRefusedError(Exception):
    """The log does not verify, so it is not adopted. The text may be shown to operators."""


def adopt_log(*, org_id: str, reason: str, actor: str, fingerprint: str = "") -> Head:
    """Verify the whole log of the workspace, record the adoption and anchor the log; return the verified head.

    `fingerprint` names a key that is trusted besides the line of the configured one, for logs whose keys were announced
    by an earlier release. Raises ValueError without a reason, AdoptionRefusedError, SigningRefusedError,
    AuditUnavailableError and OSError.
    """
    if not (reason := reason.strip()):
        raise ValueError("Give a reason with --reason; it is written into the audit log.")
    alias, anchors = router.db_for_write(AuditEvent), node_anchors()
    anchors.sync()
    before = anchors.anchor(org_id)
    if before is not None and before.origin and not _is_followed(alias, before):
        return _adopt_changed(alias, before, reason, actor)
    found = _verified(alias, org_id, fingerprint)
    tree = _tree(alias, org_id, found)
    with transaction.atomic(using=alias):
        register_first_key(alias)
        key = signing_key(alias)
        record_event(
            org_id=org_id,
            action=ACTION,
            actor=actor,
            target_type="audit_record",
            target_label=f"up to row {found.sequence}",
            note=reason,
            details={
                "sequence": found.sequence,
                "hash": found.hash,
                **({"given_up": {"sequence": before.sequence, "hash": before.hash}} if before is not None else {}),
            },
        )
    anchors.adopt(sign_head(key, org_id, found, reason="anchor", tree=tree), tree)
    if not anchors.faults:
        make_checkpoints(reason="demand", org_id=org_id)
    return found


def _is_followed(alias: str, anchor: Checkpoint) -> bool:
    """Return whether the origin of the anchor may continue, or another node has stated a later epoch."""
    return has_row(alias, anchor) or last_epoch(alias, anchor.workspace) > anchor.epoch


def _adopt_changed(alias: str, anchor: Checkpoint, reason: str, actor: str) -> Head:
    """Adopt a log that other entries took over, in a new epoch: one origin never signs two histories."""
    origin = Origin.parse(anchor.origin)
    kept = kept_head(alias, anchor.workspace, origin.epoch)
    if kept.sequence < anchor.sequence:
        raise AdoptionRefusedError(
            f"The log ends at entry {kept.sequence}, but the anchor is at {anchor.sequence}: use audit_accept_restore."
        )
    head = chain_head(kept, tree_of(alias, key_line(alias), origin, kept.sequence))
    statement = EpochStatement(origin, head, head, instant(timezone.now()), sanitize_text(reason, NOTE_LENGTH))
    lost = {"sequence": anchor.sequence, "hash": anchor.hash}
    try:
        begin_epoch(alias, statement, signing_key_of(alias), actor=actor, action=ACTION, lost=lost)
    except RestoreRefusedError as error:
        raise AdoptionRefusedError(str(error)) from None
    return kept


def _verified(alias: str, org_id: str, fingerprint: str) -> Head:
    """Return the head of the log after verifying all of it. Raises AdoptionRefusedError."""
    try:
        trust = _trust(alias, fingerprint)
        (chain,) = verify_stored(workspace=org_id, trust=trust, is_anchored=False).chains
    except UnusableInputError as error:
        raise AdoptionRefusedError(str(error)) from None
    if bad := chain.finding:
        raise AdoptionRefusedError(f"The log does not verify: {bad.kind} at row {bad.sequence}: {bad.reason}.")
    return Head(chain.sequence, chain.hash)


def _tree(alias: str, org_id: str, head: Head) -> LogTree | None:
    """Return the tree up to a verified head; None in format 1. Raises AdoptionRefusedError."""
    epoch = head_of(alias, org_id).epoch
    if not epoch:
        return None
    newest = SigningHead.objects.using(alias).filter(org_id=org_id, sequence__lte=head.sequence).exclude(origin="")
    signed = newest.order_by("-sequence", "-id").first()
    try:
        tree = (
            signed_tree(alias, checkpoint_of(signed))
            if signed
            else LogTree(Origin(log_name(alias), org_id, epoch), CompactRange())
        )
        tree.range.extend(stored_leaves(alias, org_id, tree.last + 1, head.sequence + 1))
    except ProofError as error:
        raise AdoptionRefusedError(f"The tree of the log cannot be made: {error}.") from None
    return tree


def _trust(alias: str, fingerprint: str) -> Trust:
    if not fingerprint:
        return key_line(alias)
    trust = trust_from_text("", fingerprint)
    for key in stored_keys():
        trust.learn(key)
    if (configured := configured_key()).key_id not in trust:
        if not is_registered(configured):
            raise SigningRefusedError("The key with this fingerprint does not lead to the configured key.")
        # Its first key was lost: the operator, who gives the fingerprint, trusts both.
        trust.anchor(configured.public_key)
    return trust
