"""Background threads: rotations, bulk actions, notices, and collecting and sending reminders and alerts.

Every serving process has one, with its own database connection; an exclusive job runs in one process at a time (file
lock or advisory lock). A job that fails because the database is unavailable is retried in the next round.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

from django.db import connections, router
from django.utils import timezone

from hoursmith_console.alerts.periodic import collect_alerts, collect_signals, delete_old_alerts, send_alerts
from hoursmith_console.campaigns.periodic import queue_all_reminders, refresh_all_notices, send_all_mails
from hoursmith_console.rotations.models import Rotation
from hoursmith_console.rotations.progress.evidence import evidence_of
from hoursmith_console.rotations.progress.sync import needs_sync, sync_rotation
from hoursmith_console.token_inventory.bulk.services import work_off_jobs
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.db.locks import SingletonLock
from mcpbridge.workers import Attempts, TimedJob, Timetable

_LIMIT_S = 5.0
_LOCK_NAME = "console-jobs"


@dataclass(frozen=True, slots=True)
class Job:
    """Periodic work that is safe to repeat.

    An exclusive job runs in one process at a time. Any other must guard against double work itself, and runs outside
    of any transaction.
    """

    name: str
    every_s: float
    work: Callable[[], object]
    is_exclusive: bool = True


def sync_rotations() -> int:
    """Update all open rotations from observed calls, and return how many changed."""
    open_rotations = list(Rotation.objects.filter(ended_at=None).select_related("workspace", "owner"))
    if not open_rotations:
        return 0
    now, evidence = timezone.now(), evidence_of(open_rotations)
    moved = [rotation for rotation in open_rotations if needs_sync(rotation, evidence[rotation.pk], now)]
    for rotation in moved:
        sync_rotation(rotation=rotation, now=now)
    return len(moved)


JOBS: Sequence[Job] = (
    Job("Rotations", 3.0, sync_rotations),
    Job("Bulk actions", 1.0, work_off_jobs),
    Job("Notices", 15.0, refresh_all_notices),
    Job("Reminders", 600.0, queue_all_reminders),
    Job("Alerts", 3.0, collect_alerts),
    Job("Signals", 15.0, collect_signals),
    Job("Old-alerts", 3600.0, delete_old_alerts),
)
# On a separate thread, because a mail server may be slow.
MAIL_JOBS: Sequence[Job] = (Job("Mails", 5.0, send_all_mails, is_exclusive=False),)
# Likewise, because a chat may be slow.
ALERT_JOBS: Sequence[Job] = (Job("Deliveries-of-alerts", 2.0, send_alerts, is_exclusive=False),)


class BackgroundJobs:
    """Jobs of this process. Start and stop with the process."""

    def __init__(self, jobs: Sequence[Job] = JOBS, *, look_every_s: float = 1.0, name: str = "console-jobs") -> None:
        self._alias = router.db_for_write(Rotation)
        self._alone = SingletonLock(self._alias, _LOCK_NAME, limit_s=_LIMIT_S)
        self._worker = Timetable(
            name,
            [TimedJob(_attempts(job), partial(self._do, job)) for job in jobs],
            look_every_s=look_every_s,
            alias=self._alias,
            limit_s=_LIMIT_S,
            leave=self._alone.close,
        )

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    async def stop(self) -> None:
        """Stop after the current round."""
        await self._worker.stop(within_s=3 * _LIMIT_S)

    def _do(self, job: Job) -> None:
        """Run `job`, unless it is exclusive and another process runs it."""
        with self._alone.try_acquire() if job.is_exclusive else nullcontext(True) as is_ours:
            if is_ours:
                job.work()
        # With DEBUG on, Django collects statements until a request ends, which never happens here.
        connections[self._alias].queries_log.clear()


def _attempts(job: Job) -> Attempts:
    return Attempts(job.name.lower(), title=job.name, every_s=job.every_s, expected=(AuditUnavailableError,))
