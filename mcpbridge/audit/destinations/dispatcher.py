"""Looks for rows that wait for a sink, and has them delivered while the process serves.

Threads of its own with connections of their own: no call ever waits for a receiver. Several deliver at once, so that
one receiver that hangs does not hold up the others.
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
from mcpbridge.models.destinations import Sink
from mcpbridge.workers import Attempts, PeriodicWorker

_THREADS = 4
_FAREWELL_S = 5.0
_GLANCE_S = 0.1


class SinkCourier:
    """The courier of this process. Stop it after the keeper, whose last checkpoints it takes along."""

    def __init__(
        self,
        *,
        lock_path: Path | None,
        look_every_s: float = 1.0,
        now: Callable[[], datetime] = timezone.now,
    ) -> None:
        """Look every `look_every_s` seconds; `lock_path` is the audit writers'."""
        self._lock_path = lock_path
        self._now = now
        self._limit_s = settings.SINK_TIMEOUT_S
        self._holder = ""
        self._looking = self._delivery()
        self._alias = router.db_for_write(Sink)
        self._jobs: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._under_way: set[int] = set()
        self._changed = threading.Condition()
        self._deliverers: list[PeriodicWorker] = []
        self._worker = PeriodicWorker(
            "sink-courier",
            self._look,
            attempts=Attempts("log-destinations", title="Log destinations", every_s=look_every_s, longest_pause_s=5.0),
            alias=self._alias,
            limit_s=LIMIT_S,
            leave=self._leave,
        )

    def start(self) -> None:
        """Begin, on a thread of its own."""
        # Only now: a server may have been forked since this was made.
        self._holder = str(uuid.uuid4())
        self._looking = self._delivery()
        checkpoints.listeners.append(self._listen)
        self._worker.start()
        # What an earlier process left waits already.
        self._worker.wake()

    async def stop(self) -> None:
        """Deliver what waits to whoever takes it at once, and end. What hangs is left to the next process."""
        if not self._worker.is_alive:
            return
        checkpoints.listeners.remove(self._listen)
        await self._worker.stop(within_s=2 * _FAREWELL_S)

    def _listen(self, _: SigningHead) -> None:
        self._worker.wake()

    def _look(self) -> bool:
        """Hand out what is due, but nothing that is under way already; whether anything was due."""
        keys = self._looking.due()
        with self._changed:
            for key in keys:
                if key not in self._under_way:
                    self._under_way.add(key)
                    self._jobs.put(key)
            while len(self._deliverers) < min(len(self._under_way), _THREADS):
                self._begin_another()
        return bool(keys)

    def _begin_another(self) -> None:
        deliverer = _Deliverer(self._jobs, self._delivery(), self._delivered)
        worker = PeriodicWorker(
            f"sink-courier-{len(self._deliverers) + 1}",
            deliverer.deliver,
            # What was offered stays so, and is sent again.
            attempts=Attempts("deliveries", title="A delivery to a log destination", every_s=0.0, is_on_demand=True),
            alias=self._alias,
            limit_s=LIMIT_S,
            wait=deliverer.wait,
        )
        self._deliverers.append(worker)
        worker.start()

    def _leave(self) -> None:
        """Deliver what waits for a little while yet, and end the threads.

        A delivery under way may have looked for the last time before the last row came, so what is under way is
        waited for first, and then looked for again.
        """
        until = time.monotonic() + _FAREWELL_S
        try:
            while time.monotonic() < until:
                was_idle = not self._under_way
                if not self._look() and was_idle:
                    break
                with self._changed:
                    self._changed.wait_for(lambda: not self._under_way, timeout=_GLANCE_S)
        finally:
            for _ in self._deliverers:
                self._jobs.put(None)
            for deliverer in self._deliverers:
                deliverer.join(max(0.0, until - time.monotonic()))
            self._deliverers = [deliverer for deliverer in self._deliverers if deliverer.is_alive]

    # From here on everything runs on the delivering threads.

    def _delivered(self, key: int) -> None:
        with self._changed:
            self._under_way.discard(key)
            self._changed.notify_all()

    def _delivery(self) -> Delivery:
        return Delivery(self._holder, self._now, FileLock(self._lock_path, limit_s=LIMIT_S), self._limit_s)


class _Deliverer:
    """What one delivering thread does: take the next job, do it, say that it is over."""

    def __init__(
        self, jobs: "queue.SimpleQueue[int | None]", delivery: Delivery, is_over: Callable[[int], None]
    ) -> None:
        self._jobs = jobs
        self._delivery = delivery
        self._is_over = is_over
        self._key: int | None = None

    def wait(self) -> bool:
        """Take the next job; False where there is none any more."""
        self._key = self._jobs.get()
        return self._key is not None

    def deliver(self) -> None:
        """Do the job that was taken."""
        if self._key is None:
            return
        try:
            self._delivery.run(self._key)
        finally:
            self._is_over(self._key)
