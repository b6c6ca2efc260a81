"""Periodic jobs that survive every error: on a thread with its own database connection, or on the event loop."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable

from mcpbridge.db.timeouts import drop_connection, use_own_connection
from mcpbridge.workers.attempts import Attempts


class PeriodicWorker:
    """Runs `work` repeatedly on its own thread until it is stopped, whatever `work` raises."""

    def __init__(
        self,
        name: str,
        work: Callable[[], object],
        *,
        attempts: Attempts,
        alias: str | None = None,
        limit_s: float = 5.0,
        wait: Callable[[], bool] | None = None,
        leave: Callable[[], object] | None = None,
    ) -> None:
        """Name the thread `name`; with `alias`, give it a connection that waits at most `limit_s` seconds.

        `wait` returns True when there is work and False to stop; by default it waits for the pause of `attempts`.
        `leave` runs at the end. The connection is dropped after every error.
        """
        self.attempts = attempts
        self._name = name
        self._work = work
        self._alias = alias
        self._limit_s = limit_s
        self._wait = wait or self._pause
        self._leave = leave
        self._is_connected = False
        self._stopping = threading.Event()
        self._awake = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_alive(self) -> bool:
        """Return whether the thread runs; it does not survive a fork."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_stopping(self) -> bool:
        """Return whether it was asked to stop."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Start the thread."""
        self._stopping.clear()
        self._awake.clear()
        self.attempts.begin()
        self._is_connected = False
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """End the current pause."""
        self._awake.set()

    async def stop(self, *, within_s: float) -> None:
        """Stop after the current run; wait at most `within_s` seconds."""
        self._stopping.set()
        self.wake()
        await asyncio.to_thread(self.join, within_s)

    def join(self, within_s: float) -> None:
        """Wait at most `within_s` seconds for the thread to end."""
        self.attempts.end()
        if self._thread is not None:
            self._thread.join(within_s)

    # The methods below run on the worker thread.

    def _run(self) -> None:
        while self._wait():
            self._try(self._work)
        if self._leave is not None:
            self._try(self._leave)
        if self._alias is not None:
            drop_connection(self._alias)

    def _pause(self) -> bool:
        self._awake.wait(self.attempts.pause_s)
        self._awake.clear()
        return not self._stopping.is_set()

    def _try(self, work: Callable[[], object]) -> None:
        def connected() -> object:
            if self._alias is not None and not self._is_connected:
                use_own_connection(self._alias, limit_s=self._limit_s)
                self._is_connected = True
            return work()

        if not self.attempts.run(connected) and self._alias is not None:
            drop_connection(self._alias)


class PeriodicTask:
    """Awaits `work` repeatedly on the event loop until it is stopped, whatever `work` raises."""

    def __init__(self, name: str, work: Callable[[], Awaitable[object]], *, attempts: Attempts) -> None:
        self.attempts = attempts
        self._name = name
        self._work = work
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start as a task of the running event loop."""
        self.attempts.begin()
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Cancel the task."""
        self.attempts.end()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        while True:
            await self.attempts.run_async(self._work)
            await asyncio.sleep(self.attempts.pause_s)
