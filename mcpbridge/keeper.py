"""Looks after the record while the process serves: signs checkpoints, finds calls whose outcome never came, closes
requests for approval that nobody answered, and lets old activity go.

A thread of its own with a connection of its own, so that no call ever waits for it, and it for no page. What fails
because the database is away is tried again at the next round.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import Error, router

from mcpbridge.activity_ageing import Ageing
from mcpbridge.approvals.requests import approvals_expire
from mcpbridge.audit import AuditUnavailableError, AuditWriter
from mcpbridge.checkpoints import Schedule, checkpoint_make, checkpoints_due
from mcpbridge.keyring import UnannouncedKeyError
from mcpbridge.models import AuditEvent
from mcpbridge.own_connection import Turn, drop_connection, use_own_connection
from mcpbridge.sweeps import Sweep

logger = logging.getLogger(__name__)

_LIMIT_S = 5.0
_EXPIRE_EVERY_S = 10.0
_AGE_EVERY_S = 3600.0
_AGE_AGAIN_S = 60.0


@dataclass(slots=True)
class _Task:
    """What is done every `every_s` seconds, and `again_s` seconds after it failed or left something to do."""

    what: str
    work: Callable[[], object]
    every_s: float = 0.0
    again_s: float = 0.0
    due_at: float = 0.0


class Keeper:
    """The keeper of this process. Start it after the audit writer, stop it after that has written its last row."""

    def __init__(
        self, audit: AuditWriter, *, lock_path: Path | None, look_every_s: float = 2.0, sweep_every_s: float = 60.0
    ) -> None:
        """Look every `look_every_s` seconds if checkpoints are due; `lock_path` is that of the audit writers."""
        self._schedule = Schedule.configured()
        self._sweep = Sweep(audit.record)
        ageing = Ageing(settings.ACTIVITY_DAYS)
        self._tasks = (
            _Task("Checkpoints", self._look),
            _Task("Requests for approval that are out of time", self._expire, _EXPIRE_EVERY_S),
            _Task("The sweep for unknown outcomes", self._sweep.run, sweep_every_s),
            # Others wait for the moment that a month takes, so who is refused it asks again no sooner.
            _Task("Making months, and letting old activity go", ageing.run, _AGE_EVERY_S, again_s=_AGE_AGAIN_S),
        )
        self._look_every_s = look_every_s
        self._alias = router.db_for_write(AuditEvent)
        self._turn = Turn(lock_path, limit_s=_LIMIT_S)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._faults: dict[str, str] = {}

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="record-keeper", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Sign what was written since the last checkpoint, and end the thread."""
        self._stopping.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 3 * _LIMIT_S)

    def _run(self) -> None:
        use_own_connection(self._alias, limit_s=_LIMIT_S)
        while not self._stopping.wait(self._look_every_s):
            for task in self._tasks:
                # Each may wait for a database that is away, and whoever ends the process waits for all of them.
                if time.monotonic() >= task.due_at and not self._stopping.is_set():
                    is_done = self._try(task.what, task.work)
                    task.due_at = time.monotonic() + (task.every_s if is_done else task.again_s)
        self._try("The last checkpoints", self._leave)
        drop_connection(self._alias)
        self._turn.close()

    def _look(self) -> None:
        checkpoints_due(self._schedule, turn=self._turn)

    def _expire(self) -> None:
        approvals_expire()

    def _leave(self) -> None:
        checkpoint_make(reason="shutdown", turn=self._turn)

    def _try(self, what: str, work: Callable[[], object]) -> bool:
        """Do `work`; False where it has to be tried again, or says itself that more is to do. Logs new faults once."""
        try:
            is_done = work() is not False
        except (Error, AuditUnavailableError, UnannouncedKeyError) as error:
            fault = f"{type(error).__name__}: {error}"
            if self._faults.get(what) != fault:
                self._faults[what] = fault
                logger.error("%s: not now. %s", what, fault)
            if isinstance(error, Error):
                drop_connection(self._alias)
            return False
        except Exception:
            # Nobody would start this thread again.
            logger.exception("%s failed.", what)
            return False
        if self._faults.pop(what, None):
            logger.warning("%s: all is well again.", what)
        return is_done
