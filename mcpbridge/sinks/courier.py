"""Looks for rows that wait for a sink, and has them delivered while the process serves.

Threads of its own with connections of their own: no call ever waits for a receiver. Several deliver at once, so that
one receiver that hangs does not hold up the others.
"""

import asyncio
import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import Error, router
from django.utils import timezone

from mcpbridge import checkpoints
from mcpbridge.models import SigningHead
from mcpbridge.own_connection import Turn, drop_connection, use_own_connection
from mcpbridge.sinks.delivery import LIMIT_S, Delivery
from mcpbridge.sinks.models import Sink

logger = logging.getLogger(__name__)

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
        self._look_every_s = look_every_s
        self._now = now
        self._limit_s = settings.SINK_TIMEOUT_S
        self._holder = ""
        self._alias = router.db_for_write(Sink)
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._jobs: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._under_way: set[int] = set()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._thread: threading.Thread | None = None
        self._fault = ""

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._stopping.clear()
        # Only now: a server may have been forked since this was made.
        self._holder = str(uuid.uuid4())
        checkpoints.listeners.append(self._listen)
        self._thread = threading.Thread(target=self._run, name="sink-courier", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Deliver what waits to whoever takes it at once, and end. What hangs is left to the next process."""
        if self._thread is None:
            return
        checkpoints.listeners.remove(self._listen)
        self._stopping.set()
        self._wake.set()
        await asyncio.to_thread(self._thread.join, 2 * _FAREWELL_S)
        self._thread = None

    def _listen(self, _: SigningHead) -> None:
        self._wake.set()

    def _run(self) -> None:
        use_own_connection(self._alias, limit_s=LIMIT_S)
        delivery = self._delivery()
        while not self._stopping.is_set():
            self._look(delivery)
            self._wake.wait(self._look_every_s)
            self._wake.clear()
        self._leave(delivery)
        drop_connection(self._alias)

    def _look(self, delivery: Delivery) -> bool:
        """Hand out what is due, but nothing that is under way already; whether anything was due."""
        try:
            keys = delivery.due()
        except Error as error:
            self._say(f"{type(error).__name__}: {error}")
            drop_connection(self._alias)
            return False
        except Exception:
            # Nobody would start this thread again.
            logger.exception("The courier cannot look for what waits.")
            return False
        self._say("")
        with self._changed:
            for key in keys:
                if key not in self._under_way:
                    self._under_way.add(key)
                    self._jobs.put(key)
            while len(self._threads) < min(len(self._under_way), _THREADS):
                self._begin_another()
        return bool(keys)

    def _begin_another(self) -> None:
        name = f"sink-courier-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _leave(self, delivery: Delivery) -> None:
        """Deliver what waits for a little while yet, and end the threads.

        A delivery under way may have looked for the last time before the last row came, so what is under way is
        waited for first, and then looked for again.
        """
        until = time.monotonic() + _FAREWELL_S
        while time.monotonic() < until:
            was_idle = not self._under_way
            if not self._look(delivery) and was_idle:
                break
            with self._changed:
                self._changed.wait_for(lambda: not self._under_way, timeout=_GLANCE_S)
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._threads = [thread for thread in self._threads if thread.is_alive()]

    def _say(self, fault: str) -> None:
        """Log each new fault once."""
        if fault and fault != self._fault:
            logger.error("Sinks get nothing now: %s", fault)
        elif self._fault and not fault:
            logger.warning("Sinks are served again.")
        self._fault = fault

    # From here on everything runs on the delivering threads.

    def _work(self) -> None:
        use_own_connection(self._alias, limit_s=LIMIT_S)
        delivery = self._delivery()
        while (key := self._jobs.get()) is not None:
            try:
                delivery.run(key)
            except Error:
                # What was offered stays so, and is sent again; the look that follows says what is wrong.
                drop_connection(self._alias)
            except Exception:
                logger.exception("The delivery to sink %s failed.", key)
            finally:
                with self._changed:
                    self._under_way.discard(key)
                    self._changed.notify_all()
        drop_connection(self._alias)

    def _delivery(self) -> Delivery:
        return Delivery(self._holder, self._now, Turn(self._lock_path, limit_s=LIMIT_S), self._limit_s)
