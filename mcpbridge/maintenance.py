"""Background thread for periodic maintenance of the audit log, of approvals and of what is kept.

It has its own database connection, so that calls and pages never wait for it. Failed jobs are retried.
"""

from pathlib import Path

from django.conf import settings
from django.db import router

from mcpbridge.activity.retention import ActivityRetention
from mcpbridge.audit.anchors.memory import node_anchors
from mcpbridge.audit.anchors.rounds import EVERY_S, OldRows
from mcpbridge.audit.anchors.turns import is_mine_to_look
from mcpbridge.audit.anchors.watch import look
from mcpbridge.audit.checkpoints import Schedule, make_checkpoints, make_due_checkpoints
from mcpbridge.audit.errors import AuditUnavailableError, SigningRefusedError
from mcpbridge.audit.reconcile import OutcomeReconciler
from mcpbridge.audit.writer import AuditWriter
from mcpbridge.calls.approvals.requests import expire_approvals
from mcpbridge.db.locks import FileLock
from mcpbridge.models import AuditEvent
from mcpbridge.workers import Attempts, TimedJob, Timetable

_LIMIT_S = 5.0
_EXPIRE_EVERY_S = 10.0
_AGE_EVERY_S = 3600.0
_AGE_AGAIN_S = 60.0


class MaintenanceThread:
    """The maintenance thread of this process. Start and stop it after the audit writer."""

    def __init__(
        self, audit: AuditWriter, *, lock_path: Path | None, look_every_s: float = 2.0, reconcile_every_s: float = 60.0
    ) -> None:
        """Look every `look_every_s` seconds if checkpoints are due; `lock_path` is that of the audit writers."""
        self._schedule = Schedule.configured()
        self._look_every_s = look_every_s
        # Whether this process verifies new rows for its node, and signs.
        self._verifies = True
        self._reconciler = OutcomeReconciler(audit.record)
        self._alias = alias = router.db_for_write(AuditEvent)
        self._old_rows = OldRows(alias)
        retention = ActivityRetention(settings.ACTIVITY_DAYS)
        jobs = (
            TimedJob(_attempts("anchors", "Comparing the audit log with its anchors", look_every_s), self._compare),
            TimedJob(
                _attempts("old-entries", "Verifying old audit entries again", EVERY_S), self._old_rows.verify_some
            ),
            TimedJob(_attempts("checkpoints", "Checkpoints", look_every_s), self._look),
            TimedJob(
                _attempts("expired-approvals", "Expiry of approval requests", _EXPIRE_EVERY_S),
                self._expire,
            ),
            TimedJob(
                _attempts("unknown-outcomes", "Marking unknown outcomes", reconcile_every_s), self._reconciler.run
            ),
            # Creating a partition blocks readers and writers, so retry a refused one late.
            TimedJob(
                _attempts("activity-months", "Activity partitions and retention", _AGE_EVERY_S, _AGE_AGAIN_S),
                retention.run,
            ),
        )
        self._file_lock = FileLock(lock_path, limit_s=_LIMIT_S)
        self._worker = Timetable(
            "maintenance", jobs, look_every_s=look_every_s, alias=alias, limit_s=_LIMIT_S, leave=self._leave
        )

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    async def stop(self) -> None:
        """Sign the rows since the last checkpoint and stop the thread."""
        await self._worker.stop(within_s=3 * _LIMIT_S)

    def _compare(self) -> None:
        anchors = node_anchors()
        # Reading and hashing every new row costs as much as writing it, so one process of a node does it.
        try:
            self._verifies = anchors.folder is None or is_mine_to_look(anchors.folder, every_s=self._look_every_s)
        except OSError:
            # Without a folder for all, each verifies for itself.
            self._verifies = True
        look(anchors, self._alias, verifies_rows=self._verifies)

    def _look(self) -> None:
        if self._verifies:
            make_due_checkpoints(self._schedule, file_lock=self._file_lock)

    def _expire(self) -> None:
        expire_approvals()

    def _leave(self) -> None:
        _attempts("last-checkpoints", "The last checkpoints", 0.0).run(
            lambda: make_checkpoints(reason="shutdown", file_lock=self._file_lock)
        )
        self._file_lock.close()


def _attempts(job: str, title: str, every_s: float, again_s: float | None = None) -> Attempts:
    expected = (AuditUnavailableError, SigningRefusedError)
    # Retry failures soon, even of jobs with a long period.
    return Attempts(job, title=title, every_s=every_s, again_s=again_s or min(every_s, 2.0), expected=expected)
