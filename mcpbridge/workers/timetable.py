"""Several jobs on one thread, each with its own period and errors."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mcpbridge.db.timeouts import drop_connection
from mcpbridge.workers.attempts import Attempts
from mcpbridge.workers.periodic import PeriodicWorker


@dataclass(slots=True)
class TimedJob:
    """A job and its next due time; due at once at first."""

    attempts: Attempts
    work: Callable[[], object]
    due_at: float = 0.0


class Timetable(PeriodicWorker):
    """Checks every `look_every_s` seconds which of its `jobs` are due. A failing job does not stop the others."""

    def __init__(
        self,
        name: str,
        jobs: Sequence[TimedJob],
        *,
        look_every_s: float,
        alias: str,
        limit_s: float,
        leave: Callable[[], object] | None = None,
    ) -> None:
        attempts = Attempts(name, title=name, every_s=look_every_s)
        super().__init__(name, self._round, attempts=attempts, alias=alias, limit_s=limit_s, leave=leave)
        self._jobs = jobs
        self._jobs_alias = alias

    def start(self) -> None:
        """Start the thread."""
        for job in self._jobs:
            job.attempts.begin()
        super().start()

    def join(self, within_s: float) -> None:
        """Wait at most `within_s` seconds for the thread to end."""
        for job in self._jobs:
            job.attempts.end()
        super().join(within_s)

    def _round(self) -> None:
        for job in self._jobs:
            # Each job may wait for an unavailable database, so stop between two jobs.
            if time.monotonic() >= job.due_at and not self.is_stopping:
                if not job.attempts.run(job.work):
                    drop_connection(self._jobs_alias)
                job.due_at = time.monotonic() + job.attempts.pause_s
