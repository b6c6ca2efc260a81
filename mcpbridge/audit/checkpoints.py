"""Sign the heads of the chains, so that a copy of a checkpoint kept elsewhere reveals later changes.

Nothing is signed on the word of the database: each row since the anchor of this node is hashed again first, and
nothing is signed while the database contradicts an anchor (`mcpbridge.audit.anchors`).

Each workspace gets a checkpoint after a number of rows and after a number of minutes, even without new rows. Each is
stored, logged and passed to `listeners`. A lock ensures that only one of the processes that share a database makes
it.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import router, transaction
from django.utils import timezone

from mcpbridge.audit.anchors.faults import FaultKind
from mcpbridge.audit.anchors.memory import Verified, node_anchors
from mcpbridge.audit.anchors.watch import verified_heads
from mcpbridge.audit.export import jsonl
from mcpbridge.audit.export.source import checkpoint_of
from mcpbridge.audit.heads import ChainStatus, chain_statuses
from mcpbridge.audit.keyring import signing_key
from mcpbridge.audit.log_tree.growing import LogTree, extend_tiles, rebuild_tiles
from mcpbridge.audit.log_tree.signed_heads import sign_head
from mcpbridge.audit.signing import SigningKeyPair
from mcpbridge.audit.verification.records import Checkpoint
from mcpbridge.db.locks import acquire_locks, try_acquire_lock
from mcpbridge.db.timeouts import bounded_read, bounded_transaction
from mcpbridge.models import SigningHead

logger = logging.getLogger("mcpbridge.checkpoint")

# Called with each checkpoint after its commit, on the thread that made it. A listener must not block, and finds
# missed checkpoints in the table.
listeners: list[Callable[[SigningHead], None]] = []
LIMIT_S = 5.0
_LOCK = "audit checkpoints"
_IN_ONE_TRANSACTION = 100
# Making the tiles of a million rows takes some seconds, on SQLite with writers waiting.
_REBUILD_S = 60.0
# Tolerated clock difference between machines; a checkpoint further in the future is renewed.
_CLOCKS_DIFFER_BY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the next checkpoint is due: `rows` rows or `period` after the last."""

    rows: int
    period: timedelta

    @classmethod
    def configured(cls) -> "Schedule":
        """Build the schedule from AUDIT_CHECKPOINT_ROWS and AUDIT_CHECKPOINT_MINUTES."""
        return cls(settings.AUDIT_CHECKPOINT_ROWS, timedelta(minutes=settings.AUDIT_CHECKPOINT_MINUTES))

    def reason(self, status: ChainStatus) -> str:
        """Return why a checkpoint is due now: rows or time; empty if none is due."""
        if status.sequence - status.signed >= self.rows:
            return "rows"
        if status.signed_at is None:
            return "time"
        age = timezone.now() - status.signed_at
        return "" if -_CLOCKS_DIFFER_BY <= age < self.period else "time"


def make_due_checkpoints(schedule: Schedule, *, file_lock: AbstractContextManager[None]) -> list[SigningHead]:
    """Make the checkpoints that are due, within `file_lock`; none if another process is making them.

    Raises SigningRefusedError.
    """
    alias = router.db_for_write(SigningHead)
    with bounded_read(alias, limit_s=LIMIT_S):
        unadopted = node_anchors().unadopted
        is_due = any(schedule.reason(each) for each in chain_statuses(alias) if each.org_id not in unadopted)
    if not is_due:
        return []
    return _make(alias, schedule.reason, file_lock=file_lock, waits=False)


def make_checkpoints(
    *, reason: str, org_id: str | None = None, file_lock: AbstractContextManager[None] | None = None
) -> list[SigningHead]:
    """Make checkpoints now, for one workspace or all; `reason` is demand, prune or shutdown.

    At shutdown only chains with new rows get one. Raises SigningRefusedError.
    """

    def is_wanted(status: ChainStatus) -> str:
        if org_id not in (None, status.org_id):
            return ""
        return reason if reason != "shutdown" or status.sequence > status.signed else ""

    alias = router.db_for_write(SigningHead)
    return _make(alias, is_wanted, file_lock=file_lock or nullcontext(), waits=True, is_strict=org_id is not None)


def _make(
    alias: str,
    reason_of: Callable[[ChainStatus], str],
    *,
    file_lock: AbstractContextManager[None],
    waits: bool,
    is_strict: bool = False,
) -> list[SigningHead]:
    """Make the wanted checkpoints; `is_strict` raises for a log without an anchor instead of omitting it."""
    # Verified before the lock, which holds up every writer on SQLite.
    with bounded_read(alias, limit_s=LIMIT_S):
        org_ids = [each.org_id for each in chain_statuses(alias) if reason_of(each)]
    heads = verified_heads(node_anchors(), alias, org_ids, is_strict=is_strict)
    made: dict[str, SigningHead] = {}
    while heads.keys() - made.keys():
        with file_lock, bounded_transaction(alias, limit_s=LIMIT_S):
            if waits:
                acquire_locks(alias, _LOCK)
            elif not try_acquire_lock(alias, _LOCK):
                break
            left = [each for each in chain_statuses(alias) if each.org_id in heads and each.org_id not in made]
            # Another process may have signed later rows meanwhile; checkpoints never go back.
            wanted = [each for each in left if each.signed <= heads[each.org_id].head.sequence and reason_of(each)]
            if not wanted:
                break
            key, wrong = signing_key(alias), []
            for status in wanted[:_IN_ONE_TRANSACTION]:
                verified = heads[status.org_id]
                if verified.tree is not None and not extend_tiles(alias, verified.tree):
                    wrong.append(verified.tree)
                else:
                    made[status.org_id] = _sign(alias, key, status.org_id, verified, reason_of(status))
        for tree in wrong:
            _rebuild(alias, tree, file_lock)
    return list(made.values())


def _rebuild(alias: str, tree: LogTree, file_lock: AbstractContextManager[None]) -> None:
    """Make wrong tiles again from the rows. Raises AnchorFaultError if they stay wrong."""
    org_id = tree.origin.workspace
    logger.warning("The tiles of workspace %s do not lead to its signed tree; they are made again.", org_id)
    with file_lock, bounded_transaction(alias, limit_s=_REBUILD_S):
        acquire_locks(alias, _LOCK)
        is_right = rebuild_tiles(alias, tree)
    if not is_right:
        node_anchors().report(FaultKind.CHANGED, org_id, "The rows in the database do not lead to the tree of its log.")
        node_anchors().refuse_if_faulty()


def _sign(alias: str, key: SigningKeyPair, org_id: str, verified: Verified, reason: str) -> SigningHead:
    """Sign what this process has verified, not what the database says now."""
    signed = sign_head(key, org_id, verified.head, reason=reason, tree=verified.tree)
    head = store_checkpoint(alias, signed)
    transaction.on_commit(partial(_publish, head, verified.tree), using=alias)
    return head


def store_checkpoint(alias: str, signed: Checkpoint) -> SigningHead:
    """Store a checkpoint that was signed."""
    return SigningHead.objects.using(alias).create(
        org_id=signed.workspace,
        sequence=signed.sequence,
        hash=signed.hash,
        at=datetime.fromisoformat(signed.at),
        key_id=signed.key_id,
        signature=signed.signature,
        reason=signed.reason,
        origin=signed.origin,
        root=signed.root,
        signed_note=signed.note,
    )


def checkpoint_line(head: SigningHead) -> str:
    """Return a checkpoint as a line of JSON in the export format, which the verifier accepts."""
    return jsonl.checkpoint_line(checkpoint_of(head)).decode().rstrip("\n")


def _publish(head: SigningHead, tree: LogTree | None) -> None:
    node_anchors().move(checkpoint_of(head), tree)
    logger.info("%s", checkpoint_line(head))
    for listener in listeners:
        try:
            listener(head)
        except Exception:
            logger.exception("A listener failed on the checkpoint of %s at %d.", head.org_id, head.sequence)
