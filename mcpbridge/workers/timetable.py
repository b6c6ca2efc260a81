"""Several jobs on one thread, each at its own pace and with its own faults."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mcpbridge.db.timeouts import drop_connection
from mcpbridge.workers.attempts import Attempts
from mcpbridge.workers.periodic import PeriodicWorker


@dataclass(slots=True)
class TimedJob:
    """A job, and when it is next due; at once at first."""

    attempts: Attempts
    work: Callable[[], object]
    due_at: float = 0.0


class Timetable(PeriodicWorker):
    """A worker that looks every `look_every_s` seconds which of its `jobs` are due. None of them stops another."""

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
        """Begin, on a thread of its own."""
        for job in self._jobs:
            job.attempts.begin()
        super().start()

    def join(self, within_s: float) -> None:
        """Wait `within_s` seconds at most for the thread to end."""
        for job in self._jobs:
            job.attempts.end()
        super().join(within_s)

    def _round(self) -> None:
        for job in self._jobs:
            # Each may wait for a database that is away, and whoever ends the process waits for all of them.
            if time.monotonic() >= job.due_at and not self.is_stopping:
                if not job.attempts.run(job.work):
                    drop_connection(self._jobs_alias)
                job.due_at = time.monotonic() + job.attempts.pause_s
