"""Upgrade an audit log from format 1: verify it whole, build its tree, and sign the first checkpoint of format 2.

The row `console.audit_format` is the first of format 2. Nothing is signed that did not verify against a fingerprint
that the operator gave.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.db import router, transaction

from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.checkpoints import make_checkpoints, store_checkpoint
from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.export.source import stored_keys
from mcpbridge.audit.hashchain import Head
from mcpbridge.audit.heads import head_of, lock_heads
from mcpbridge.audit.keyring import signing_key
from mcpbridge.audit.log_tree.archived import archived_leaves
from mcpbridge.audit.log_tree.growing import LogTree
from mcpbridge.audit.log_tree.origins import log_name
from mcpbridge.audit.log_tree.signed_heads import sign_head
from mcpbridge.audit.log_tree.tiles import store_tree, stored_leaves
from mcpbridge.audit.signing import configured_key
from mcpbridge.audit.tree.merkle import CompactRange
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.verification import UnusableInputError
from mcpbridge.audit.verification.key_files import trust_from_text
from mcpbridge.audit.verification.sources import verify_stored
from mcpbridge.audit.verification.trust import Trust
from mcpbridge.models import AuditEvent

ACTION = "console.audit_format"


class UpgradeRefusedError(Exception):
    """The log is not upgraded. The text may be shown to operators."""


@dataclass(frozen=True, slots=True)
class Upgraded:
    """A log that was upgraded: its origin, and the last row of format 1."""

    origin: str
    sequence: int


def upgrade_log(
    *,
    org_id: str,
    fingerprint: str,
    actor: str,
    archives: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Upgraded | None:
    """Upgrade the log of the workspace; None if it has no rows, or is of format 2 already.

    All nodes must be stopped. `archives` has the files of pruned rows; without it, the tree begins with the first row
    that is left, and the origin says so. Raises UpgradeRefusedError, ArchivesRefusedError, SigningRefusedError,
    AuditUnavailableError and OSError.
    """
    alias, anchors = router.db_for_write(AuditEvent), node_anchors()
    end = head_of(alias, org_id)
    if not end.sequence or end.epoch:
        return None
    anchors.sync()
    anchors.refuse_if_faulty()
    trust = _trust(fingerprint)
    head = _verified(org_id, trust, progress)
    first, leaves = _leaves(alias, org_id, head, trust, archives)
    tree = LogTree(Origin(log_name(alias), org_id, epoch=1, first=first), CompactRange())
    with transaction.atomic(using=alias):
        if lock_heads(alias, [org_id])[org_id].head != head:
            raise UpgradeRefusedError("Rows were written meanwhile. Stop all nodes, and run the command again.")
        key = signing_key(alias)
        store_tree(alias, org_id, _growing(tree, leaves))
        signed = sign_head(key, org_id, head, reason="demand", tree=tree)
        store_checkpoint(alias, signed)
        _record(tree, head, actor)
    anchors.adopt(signed, tree)
    make_checkpoints(reason="demand", org_id=org_id)
    return Upgraded(signed.origin, head.sequence)


def _trust(fingerprint: str) -> Trust:
    """Return the line of the key with this fingerprint, which must lead to the configured key."""
    try:
        trust = trust_from_text("", fingerprint)
    except UnusableInputError as error:
        raise UpgradeRefusedError(str(error)) from None
    for key in stored_keys():
        trust.learn(key)
    if configured_key().key_id not in trust:
        raise UpgradeRefusedError("The key with this fingerprint does not lead to the configured key.")
    return trust


def _verified(org_id: str, trust: Trust, progress: Callable[[int], None] | None) -> Head:
    """Return the head of the log after verifying all of it, also against the anchor of this node."""
    try:
        (chain,) = verify_stored(workspace=org_id, trust=trust, progress=progress).chains
    except UnusableInputError as error:
        raise UpgradeRefusedError(str(error)) from None
    if bad := chain.finding:
        raise UpgradeRefusedError(f"The log does not verify: {bad.kind} at row {bad.sequence}: {bad.reason}.")
    if not chain.vouched and not chain.checkpoints:
        raise UpgradeRefusedError("Nothing of the log is signed by a key that the fingerprint leads to.")
    return Head(chain.sequence, chain.hash)


def _leaves(alias: str, org_id: str, head: Head, trust: Trust, archives: Path | None) -> tuple[int, Iterator[bytes]]:
    """Return the row of leaf 0 and the hashes of all leaves."""
    rows = AuditEvent.objects.using(alias).filter(org_id=org_id).order_by("sequence")
    first, previous_hash = rows.values_list("sequence", "previous_hash")[:1].get()
    stored = stored_leaves(alias, org_id, first, head.sequence + 1)
    if first == 1 or archives is None:
        return first, stored
    pruned = archived_leaves(archives, org_id, last=first - 1, last_hash=previous_hash, trust=trust)
    return 1, (leaf for part in (pruned, stored) for leaf in part)


def _growing(tree: LogTree, leaves: Iterator[bytes]) -> Iterator[bytes]:
    """Yield `leaves` and append each to `tree`."""
    for leaf in leaves:
        tree.range.append(leaf)
        yield leaf


def _record(tree: LogTree, head: Head, actor: str) -> None:
    record_event(
        org_id=tree.origin.workspace,
        action=ACTION,
        actor=actor,
        target_type="audit_record",
        target_label=f"format 2, after row {head.sequence}",
        details={"format": 2, "origin": str(tree.origin), "sequence": head.sequence, "hash": head.hash},
        epoch=tree.origin.epoch,
    )
