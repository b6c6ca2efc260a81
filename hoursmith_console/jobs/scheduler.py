"""Looks after what goes on although nobody looks: moves rotations on by what the bridge has seen.

A thread of its own with a connection of its own in every process that serves; of all of them one at a time works.
What fails because the database is away is tried again at the next round.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

from django.db import connections, router
from django.utils import timezone

from hoursmith_console.campaigns.asking import queue_all_reminders, refresh_all_notices, send_all_mails
from hoursmith_console.rotations.evidence import evidence_of
from hoursmith_console.rotations.models import Rotation
from hoursmith_console.rotations.sync import needs_sync, sync_rotation
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.db.locks import SingletonLock
from mcpbridge.workers import Attempts, TimedJob, Timetable

_LIMIT_S = 5.0
_NAME = "rotation-watch"


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
    """Bring all rotations under way up to what the bridge has seen; how many had news."""
    under_way = list(Rotation.objects.filter(ended_at=None).select_related("workspace", "owner"))
    if not under_way:
        return 0
    now, evidence = timezone.now(), evidence_of(under_way)
    moved = [rotation for rotation in under_way if needs_sync(rotation, evidence[rotation.pk], now)]
    for rotation in moved:
        sync_rotation(rotation=rotation, now=now)
    return len(moved)


JOBS: Sequence[Job] = (
    Job("Rotations", 3.0, sync_rotations),
    Job("Notices", 15.0, refresh_all_notices),
    Job("Reminders", 600.0, queue_all_reminders),
)
# On a thread of their own, for a mail server may keep one waiting.
MAIL_JOBS: Sequence[Job] = (Job("Mails", 5.0, send_all_mails, is_exclusive=False),)


class BackgroundJobs:
    """The watch of this process. Start and stop it with the bridge."""

    def __init__(self, jobs: Sequence[Job] = JOBS, *, look_every_s: float = 1.0, name: str = "rotation-watch") -> None:
        self._alias = router.db_for_write(Rotation)
        self._alone = SingletonLock(self._alias, _NAME, limit_s=_LIMIT_S)
        self._worker = Timetable(
            name,
            [TimedJob(_attempts(job), partial(self._do, job)) for job in jobs],
            look_every_s=look_every_s,
            alias=self._alias,
            limit_s=_LIMIT_S,
            leave=self._alone.close,
        )

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._worker.start()

    async def stop(self) -> None:
        """End after the round that is under way."""
        await self._worker.stop(within_s=3 * _LIMIT_S)

    def _do(self, job: Job) -> None:
        """Do `job`, unless another process does."""
        with self._alone.try_acquire() if job.is_exclusive else nullcontext(True) as is_ours:
            if is_ours:
                job.work()
        # With DEBUG on Django keeps every statement until a page request ends; no page ever ends here.
        connections[self._alias].queries_log.clear()


def _attempts(job: Job) -> Attempts:
    return Attempts(job.name.lower(), title=job.name, every_s=job.every_s, expected=(AuditUnavailableError,))
