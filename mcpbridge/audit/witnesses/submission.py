"""Submit each signed checkpoint to the witnesses, on a thread of its own while the process serves.

Nothing waits for a witness. One that hangs is left alone for a minute, and the others are asked meanwhile. What a
witness finds is a finding of this node, like one of its anchor.
"""

import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import router
from django.utils import timezone

from mcpbridge.audit import checkpoints
from mcpbridge.audit.anchors.faults import FaultKind
from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.heads import chain_statuses
from mcpbridge.audit.tree.errors import FormatError
from mcpbridge.audit.witnesses.client import Cosigned, cosign
from mcpbridge.audit.witnesses.config import Witness, configured_witnesses
from mcpbridge.audit.witnesses.errors import NotCosignedError, RefusalKind
from mcpbridge.audit.witnesses.logs import StoredLog, heads_with, newest_head, tree_head
from mcpbridge.db.locks import FileLock
from mcpbridge.db.timeouts import bounded_read, bounded_transaction
from mcpbridge.models import Cosignature, SigningHead, WitnessStatus
from mcpbridge.workers import Attempts, PeriodicWorker

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 30.0
_AGAIN_S = 60.0
_LIMIT_S = 5.0
_FINDINGS = {RefusalKind.BEHIND: FaultKind.BEHIND, RefusalKind.CHANGED: FaultKind.CHANGED}


class WitnessSubmitter:
    """Submits the newest checkpoint of each log to each witness that has not cosigned it."""

    def __init__(self, *, lock_path: Path | None) -> None:
        """`lock_path` is the lock file of the audit writers."""
        self._alias = router.db_for_write(SigningHead)
        self._lock_path = lock_path
        self._next_try: dict[str, float] = {}
        # The size that a witness last cosigned, by its name and the origin.
        self._known: dict[tuple[str, str], int] = {}
        self._worker = PeriodicWorker(
            "audit-witnesses",
            self.submit,
            attempts=Attempts("audit-witnesses", title="Witnesses of the audit log", every_s=_LOOK_EVERY_S),
            alias=self._alias,
            limit_s=_LIMIT_S,
        )

    def start(self) -> None:
        """Start the thread."""
        checkpoints.listeners.append(self._listen)
        self._worker.start()

    async def stop(self) -> None:
        """Stop the thread after the submission in progress."""
        if self._worker.is_alive:
            checkpoints.listeners.remove(self._listen)
            await self._worker.stop(within_s=settings.LOG_DESTINATION_TIMEOUT_S + _LIMIT_S)

    def submit(self) -> None:
        """Submit what is due."""
        for witness in configured_witnesses():
            if self._next_try.get(witness.name, 0.0) > time.monotonic():
                continue
            for head in self._due(witness):
                if not self._submit(witness, head):
                    self._next_try[witness.name] = time.monotonic() + _AGAIN_S
                    break

    def _listen(self, _: SigningHead) -> None:
        self._worker.wake()

    def _due(self, witness: Witness) -> list[SigningHead]:
        """Return the newest checkpoints that this witness has not cosigned, but none of a log with a finding."""
        faulty = {fault.workspace for fault in node_anchors().faults}
        with bounded_read(self._alias, limit_s=_LIMIT_S):
            statuses = WitnessStatus.objects.using(self._alias).filter(witness=witness.name)
            cosigned = dict(statuses.values_list("org_id", "checkpoint"))
            org_ids = [status.org_id for status in chain_statuses(self._alias) if status.org_id not in faulty]
            heads = [head for org_id in org_ids if (head := newest_head(self._alias, org_id)) is not None]
        return [head for head in heads if head.pk != cosigned.get(head.org_id)]

    def _submit(self, witness: Witness, head: SigningHead) -> bool:
        """Submit one log; return False if the witness is to be left alone for a while."""
        log = StoredLog(self._alias, head.org_id, head.origin)
        place = witness.name, head.origin
        try:
            known = self._known.get(place, tree_head(head).size)
            found = cosign(witness, log, known=known, limit_s=settings.LOG_DESTINATION_TIMEOUT_S)
        except FormatError as error:
            # Not from this console; the anchor reports it.
            logger.error("A checkpoint of workspace %s cannot be submitted: %s.", head.org_id, error)
            return True
        except NotCosignedError as error:
            self._refused(witness, head, error)
            return error.kind is not RefusalKind.UNAVAILABLE
        self._known[place] = found.head.size
        self._store(witness, head, found)
        return True

    def _refused(self, witness: Witness, head: SigningHead, error: NotCosignedError) -> None:
        text = str(error)[:300]
        if (kind := _FINDINGS.get(error.kind)) is not None:
            node_anchors().report(kind, head.org_id, text)
        with FileLock(self._lock_path, limit_s=_LIMIT_S), bounded_transaction(self._alias, limit_s=_LIMIT_S):
            status = self._status(witness, head.org_id)
            since = status.failing_since or timezone.now()
            self._update(status, refusal=error.kind.value, fault=text, failing_since=since)
        if status.fault != text:
            logger.error("%s (workspace %s)", text, head.org_id)

    def _store(self, witness: Witness, head: SigningHead, found: Cosigned) -> None:
        """Store the cosignature with the checkpoint that it is about, unless one of the same head is stored."""
        at = datetime.fromtimestamp(found.at, UTC)
        heads = heads_with(self._alias, head.org_id, found.head)
        with FileLock(self._lock_path, limit_s=_LIMIT_S), bounded_transaction(self._alias, limit_s=_LIMIT_S):
            same = Cosignature.objects.using(self._alias).filter(head__in=heads, cosigner=witness.name)
            about = heads.order_by("-id").first()
            if about is not None and not same.exists():
                Cosignature.objects.using(self._alias).create(
                    head=about, cosigner=witness.name, line=str(found.line), at=at
                )
            self._update(
                self._status(witness, head.org_id),
                checkpoint=about.pk if about else 0,
                size=found.head.size,
                cosigned_at=at,
                refusal="",
                fault="",
                failing_since=None,
            )

    def _status(self, witness: Witness, org_id: str) -> WitnessStatus:
        found, _ = WitnessStatus.objects.using(self._alias).get_or_create(org_id=org_id, witness=witness.name)
        return found

    def _update(self, status: WitnessStatus, **columns: Any) -> None:
        WitnessStatus.objects.using(self._alias).filter(pk=status.pk).update(**columns)
