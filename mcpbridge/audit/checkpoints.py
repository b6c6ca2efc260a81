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
from datetime import timedelta
from functools import partial

import orjson
from django.conf import settings
from django.db import router, transaction
from django.utils import timezone

from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.anchors.watch import verified_heads
from mcpbridge.audit.export.source import checkpoint_of
from mcpbridge.audit.hashchain import Head, instant
from mcpbridge.audit.heads import ChainStatus, chain_statuses
from mcpbridge.audit.keyring import signing_key
from mcpbridge.audit.signing import SigningKeyPair, head_message
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
    made: dict[str, SigningHead] = {}
    # Verified before the lock, which holds up every writer on SQLite.
    with bounded_read(alias, limit_s=LIMIT_S):
        org_ids = [each.org_id for each in chain_statuses(alias) if reason_of(each)]
    heads = verified_heads(node_anchors(), alias, org_ids, is_strict=is_strict)
    if not heads:
        return []
    while True:
        with file_lock, bounded_transaction(alias, limit_s=LIMIT_S):
            if waits:
                acquire_locks(alias, _LOCK)
            elif not try_acquire_lock(alias, _LOCK):
                break
            left = [each for each in chain_statuses(alias) if each.org_id in heads and each.org_id not in made]
            # Another process may have signed later rows meanwhile; checkpoints never go back.
            wanted = [each for each in left if each.signed <= heads[each.org_id].sequence and reason_of(each)]
            if not wanted:
                break
            key = signing_key(alias)
            for status in wanted[:_IN_ONE_TRANSACTION]:
                made[status.org_id] = _sign(alias, key, status.org_id, heads[status.org_id], reason_of(status))
    return list(made.values())


def _sign(alias: str, key: SigningKeyPair, org_id: str, verified: Head, reason: str) -> SigningHead:
    """Sign what this process has verified, not what the database says now."""
    sequence, hash = verified
    at = timezone.now()
    head = SigningHead.objects.using(alias).create(
        org_id=org_id,
        sequence=sequence,
        hash=hash,
        at=at,
        key_id=key.key_id,
        signature=key.sign(head_message(org_id=org_id, sequence=sequence, hash=hash, at=at)),
        reason=reason,
    )
    transaction.on_commit(partial(_publish, head), using=alias)
    return head


def checkpoint_line(head: SigningHead) -> str:
    """Return a checkpoint as a line of JSON in the export format, which the verifier accepts."""
    facts = {
        "type": "checkpoint",
        "workspace": head.org_id,
        "sequence": head.sequence,
        "hash": head.hash,
        "at": instant(head.at),
        "key_id": head.key_id,
        "signature": head.signature,
        "reason": head.reason,
    }
    return orjson.dumps(facts).decode()


def _publish(head: SigningHead) -> None:
    node_anchors().move(checkpoint_of(head))
    logger.info("%s", checkpoint_line(head))
    for listener in listeners:
        try:
            listener(head)
        except Exception:
            logger.exception("A listener failed on the checkpoint of %s at %d.", head.org_id, head.sequence)
