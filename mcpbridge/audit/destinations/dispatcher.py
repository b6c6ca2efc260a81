"""Dispatch undelivered audit rows to log destinations while the process serves.

One thread looks for work and up to four deliver, each with its own database connection. No tool call ever waits for a
receiver, and a receiver that hangs does not delay the others.
"""

import queue
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import router
from django.utils import timezone

from mcpbridge.audit import checkpoints
from mcpbridge.audit.destinations.delivery import LIMIT_S, Delivery
from mcpbridge.db.locks import FileLock
from mcpbridge.models import SigningHead
from mcpbridge.models.destinations import LogDestination
from mcpbridge.workers import Attempts, PeriodicWorker

_THREADS = 4
_STOP_LIMIT_S = 5.0
_STOP_POLL_S = 0.1


class Dispatcher:
    """Finds and delivers undelivered rows. Stop it after the maintenance thread, to send the last checkpoints."""

    def __init__(
        self,
        *,
        lock_path: Path | None,
        look_every_s: float = 1.0,
        now: Callable[[], datetime] = timezone.now,
    ) -> None:
        """Poll every `look_every_s` seconds. `lock_path` is the lock file of the audit writers."""
        self._lock_path = lock_path
        self._now = now
        self._limit_s = settings.LOG_DESTINATION_TIMEOUT_S
        self._holder = ""
        self._finder = self._delivery()
        self._alias = router.db_for_write(LogDestination)
        self._jobs: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._in_progress: set[int] = set()
        self._changed = threading.Condition()
        self._deliverers: list[PeriodicWorker] = []
        self._worker = PeriodicWorker(
            "log-destinations",
            self._look,
            attempts=Attempts("log-destinations", title="Log destinations", every_s=look_every_s, longest_pause_s=5.0),
            alias=self._alias,
            limit_s=LIMIT_S,
            leave=self._leave,
        )

    def start(self) -> None:
        """Start the thread."""
        # Made here, not in the constructor, because the server may fork in between.
        self._holder = str(uuid.uuid4())
        self._finder = self._delivery()
        checkpoints.listeners.append(self._listen)
        self._worker.start()
        # An earlier process may have left undelivered rows.
        self._worker.wake()

    async def stop(self) -> None:
        """Deliver waiting rows for up to 5 seconds and stop; the rest is left to the next process."""
        if not self._worker.is_alive:
            return
        checkpoints.listeners.remove(self._listen)
        await self._worker.stop(within_s=2 * _STOP_LIMIT_S)

    def _listen(self, _: SigningHead) -> None:
        self._worker.wake()

    def _look(self) -> bool:
        """Queue the destinations that are due and not in progress; return whether any was due."""
        keys = self._finder.due()
        with self._changed:
            for key in keys:
                if key not in self._in_progress:
                    self._in_progress.add(key)
                    self._jobs.put(key)
            while len(self._deliverers) < min(len(self._in_progress), _THREADS):
                self._start_deliverer()
        return bool(keys)

    def _start_deliverer(self) -> None:
        deliverer = _Deliverer(self._jobs, self._delivery(), self._delivered)
        worker = PeriodicWorker(
            f"log-destinations-{len(self._deliverers) + 1}",
            deliverer.deliver,
            # A leased batch stays leased and is sent again.
            attempts=Attempts("deliveries", title="A delivery to a log target", every_s=0.0, is_on_demand=True),
            alias=self._alias,
            limit_s=LIMIT_S,
            wait=deliverer.wait,
        )
        self._deliverers.append(worker)
        worker.start()

    def _leave(self) -> None:
        """Deliver waiting rows until the deadline and stop the threads.

        A delivery in progress may have read its last batch before the last row was written, so wait for it and poll
        once more.
        """
        deadline = time.monotonic() + _STOP_LIMIT_S
        try:
            while time.monotonic() < deadline:
                was_idle = not self._in_progress
                if not self._look() and was_idle:
                    break
                with self._changed:
                    self._changed.wait_for(lambda: not self._in_progress, timeout=_STOP_POLL_S)
        finally:
            for _ in self._deliverers:
                self._jobs.put(None)
            for deliverer in self._deliverers:
                deliverer.join(max(0.0, deadline - time.monotonic()))
            self._deliverers = [deliverer for deliverer in self._deliverers if deliverer.is_alive]

    # The methods below run on the delivery threads.

    def _delivered(self, key: int) -> None:
        with self._changed:
            self._in_progress.discard(key)
            self._changed.notify_all()

    def _delivery(self) -> Delivery:
        return Delivery(self._holder, self._now, FileLock(self._lock_path, limit_s=LIMIT_S), self._limit_s)


class _Deliverer:
    """Work of one delivery thread: take a job, run it, report that it is over."""

    def __init__(
        self, jobs: "queue.SimpleQueue[int | None]", delivery: Delivery, is_over: Callable[[int], None]
    ) -> None:
        self._jobs = jobs
        self._delivery = delivery
        self._is_over = is_over
        self._key: int | None = None

    def wait(self) -> bool:
        """Take the next job; return False at the end."""
        self._key = self._jobs.get()
        return self._key is not None

    def deliver(self) -> None:
        """Run the job that was taken."""
        if self._key is None:
            return
        try:
            self._delivery.run(self._key)
        finally:
            self._is_over(self._key)
