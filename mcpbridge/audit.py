"""Writes the record of destructive calls ahead of them, and is alone in doing so.

A destructive call may leave only after its intent is durably committed; its outcome follows. One thread a
process writes whatever is waiting in one transaction, so that sixteen callers cost one wait for the disk.

What can go wrong, and what the record then says:

    the intent cannot be committed in time        nothing is sent; no row, or intent and a refused outcome
    the process dies between intent and outcome   an intent without an outcome: outcome unknown
    the outcome cannot be committed in time       kept and tried again until it is, or the process ends
    a commit whose answer got lost                looked up and repeated; rows bring their own key
"""

import asyncio
import logging
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import DataError, Error, IntegrityError, connections, router
from django.utils import timezone

from mcpbridge.chain import Head, link
from mcpbridge.facts import Call, Ending
from mcpbridge.heads import heads_for_writing
from mcpbridge.models import AuditEvent, Phase, Result
from mcpbridge.own_connection import Turn, drop_connection, limited_transaction, use_own_connection
from mcpbridge.recording import storable, storable_columns
from mcpbridge.statements import insert

logger = logging.getLogger(__name__)

UNAVAILABLE_CODE = "audit_unavailable"
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.25
# What some phases say and others do not.
_EMPTY = {
    "snapshot": None,
    "snapshot_fault": "",
    "result": "",
    "status": None,
    "code": "",
    "duration_ms": None,
    "actor": "",
    "note": "",
}


class AuditUnavailableError(Exception):
    """The record could not be written, so the call must not be sent. The text is fit for the caller."""


@dataclass(slots=True, eq=False)
class _Row:
    """An audit row on its way into the database, and the future of whoever waits for it."""

    call: Call
    phase: Phase
    details: dict[str, Any]
    waiter: asyncio.Future[bool] | None = None
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    is_claimed: bool = False
    is_dropped: bool = False
    is_doubtful: bool = False

    @property
    def org_id(self) -> str:
        """The workspace in whose chain the row belongs, as the column holds it."""
        return storable(self.call.identity.org_id, 64)


class AuditWriter:
    """The one writer of audit rows in this process. Start it after forking, stop it after the last call."""

    def __init__(self, *, timeout_s: float, lock_path: Path | None, capacity: int = 4_000) -> None:
        """Commit within `timeout_s` seconds or say so; queue `capacity` rows at most, intents half of that.

        `lock_path` names a file on a local disk through which several processes take turns at one SQLite file.
        """
        self._timeout_s = timeout_s
        self._capacity = capacity
        self._alias = router.db_for_write(AuditEvent)
        is_sqlite = connections.settings[self._alias]["ENGINE"].endswith("sqlite3")
        self._turn = Turn(lock_path if is_sqlite else None, limit_s=timeout_s / 2)
        self._changed = threading.Condition()
        self._queue: deque[_Row] = deque()
        self._thread: threading.Thread | None = None
        self._stop_at: float | None = None
        self._is_open = False
        self._is_failing = False
        self.outcomes_lost = 0

    @property
    def waiting(self) -> int:
        """Rows that are not in the database yet."""
        return len(self._queue)

    def start(self) -> None:
        """Begin writing, on a thread of its own."""
        self._stop_at, self._is_open = None, True
        self._thread = threading.Thread(target=self._run, name="audit-writer", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Write what is waiting, for as long as the time limit allows, and end the thread."""
        with self._changed:
            self._stop_at = time.monotonic() + self._timeout_s
            self._changed.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 3 * self._timeout_s + 1)

    async def intent(self, call: Call, *, snapshot: Any | None, snapshot_fault: str = "") -> None:
        """Return once the intent of `call` is durably committed; only then may the call be sent.

        Raises AuditUnavailableError within the time limit otherwise. If the row got into the database
        all the same, an outcome that says "refused, nothing sent" follows it.
        """
        row = _Row(call, Phase.INTENT, {"snapshot": snapshot, "snapshot_fault": storable(snapshot_fault, 40)})
        waiter = self._put(row)
        if waiter is None:
            raise AuditUnavailableError("The audit record is not taking entries, so nothing was sent to Hoursmith.")
        is_committed = False
        try:
            is_committed = await self._wait_for(waiter)
        finally:
            if not is_committed:
                self._withdraw(row)
        if not is_committed:
            raise AuditUnavailableError(
                f"The audit record could not be written within {self._timeout_s:g} seconds,"
                " so nothing was sent to Hoursmith."
            )

    async def outcome(self, call: Call, ending: Ending) -> bool:
        """True once the outcome of `call` is durably committed; False where that is still being tried."""
        row = _outcome_row(call, ending)
        waiter = self._put(row)
        if waiter is not None:
            return await self._wait_for(waiter)
        self._lose([row])
        return False

    async def _wait_for(self, waiter: asyncio.Future[bool]) -> bool:
        done, _ = await asyncio.wait({waiter}, timeout=self._timeout_s)
        return bool(done) and waiter.result()

    def _put(self, row: _Row) -> asyncio.Future[bool] | None:
        """Queue `row`; a future that says whether it was committed, None where the writer cannot take it."""
        limit = self._capacity // 2 if row.phase == Phase.INTENT else self._capacity
        with self._changed:
            # A thread does not survive a fork, so this also refuses in a child that forgot to start.
            is_running = self._is_open and self._thread is not None and self._thread.is_alive()
            if not is_running or len(self._queue) >= limit:
                return None
            row.waiter = asyncio.get_running_loop().create_future()
            self._queue.append(row)
            self._changed.notify()
        return row.waiter

    def _withdraw(self, row: _Row) -> None:
        """See to it that an intent nobody waits for any more never reads as a call that may have been sent."""
        with self._changed:
            if not row.is_claimed:
                row.is_dropped = True
                return
            elapsed_ms = (timezone.now() - row.call.at).total_seconds() * 1000
            refusal = _outcome_row(row.call, Ending(Result.REFUSED, 503, UNAVAILABLE_CODE, elapsed_ms))
            if self._is_open:
                self._queue.append(refusal)
                self._changed.notify()
            else:
                self._lose([refusal])

    # From here on everything runs on the writer's thread.

    def _run(self) -> None:
        use_own_connection(self._alias, limit_s=self._timeout_s)
        pause_s = _FIRST_PAUSE_S
        while self._has_work():
            if self._write():
                pause_s = _FIRST_PAUSE_S
            else:
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        self._lose([row for row in self._queue if row.phase == Phase.OUTCOME])
        self._settle(list(self._queue), is_committed=False)
        drop_connection(self._alias)
        self._turn.close()

    def _has_work(self) -> bool:
        """Sleep until there are rows to write; False when it is time to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stop_at is not None)
            self._is_open = self._stop_at is None or (bool(self._queue) and time.monotonic() < self._stop_at)
            return self._is_open

    def _write(self, alone: _Row | None = None) -> bool:
        """Commit all waiting rows, or just `alone`, in one transaction; False where the database could not."""
        rows: list[_Row] = []
        is_committing = False
        try:
            with self._turn, limited_transaction(self._alias, limit_s=self._timeout_s):
                # Taken only now that the database is ours: whoever gave up while we waited leaves no trace.
                rows = [alone] if alone else self._claim()
                self._insert(rows)
                is_committing = True
        except Exception as error:
            return self._recover(rows, error, is_doubtful=is_committing)
        if self._is_failing:
            self._is_failing = False
            logger.warning("The audit record can be written again.")
        self._settle(rows, is_committed=True)
        return True

    def _claim(self) -> list[_Row]:
        with self._changed:
            rows = [row for row in self._queue if not row.is_dropped]
            self._queue.clear()
            for row in rows:
                row.is_claimed = True
        return rows

    def _insert(self, rows: list[_Row]) -> None:
        """Insert `rows` in their order, leaving out those that an earlier commit brought in after all."""
        doubtful = [row.id for row in rows if row.is_doubtful]
        events = AuditEvent.objects.using(self._alias)
        present = set(events.filter(pk__in=doubtful).values_list("pk", flat=True)) if doubtful else set()
        fresh = [row for row in rows if row.id not in present]
        heads = heads_for_writing(self._alias, {row.org_id for row in fresh})
        insert(self._alias, AuditEvent, _chained(fresh, heads))

    def _recover(self, rows: list[_Row], error: Exception, *, is_doubtful: bool) -> bool:
        """Keep `rows` for the next try where the database is at fault; else find the faulty one and fail it."""
        if not rows or (isinstance(error, Error) and not isinstance(error, DataError | IntegrityError)):
            if not self._is_failing:
                self._is_failing = True
                logger.error("The audit record cannot be written now: %s: %s", type(error).__name__, error)
            with self._changed:
                for row in rows:
                    row.is_doubtful = row.is_doubtful or is_doubtful
                self._queue.extendleft(reversed(rows))
                self._queue = deque(row for row in self._queue if not row.is_dropped)
            drop_connection(self._alias)
            return False
        if len(rows) == 1:
            logger.error("Audit row of call %s cannot be stored.", rows[0].call.call_id, exc_info=error)
            rows[0].is_claimed = False
            self._settle(rows, is_committed=False)
            return True
        # Each is tried even where one before it failed: a row that is not written must be kept.
        tries = [self._write(alone=row) for row in rows]
        return all(tries)

    def _settle(self, rows: list[_Row], *, is_committed: bool) -> None:
        """Tell the waiters, with one wake-up for each of their event loops."""
        by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[bool]]] = {}
        for row in rows:
            if row.waiter is not None:
                by_loop.setdefault(row.waiter.get_loop(), []).append(row.waiter)
        for loop, waiters in by_loop.items():
            try:
                loop.call_soon_threadsafe(_resolve, waiters, is_committed)
            except RuntimeError:
                logger.debug("A caller's event loop closed before its audit row was settled.")

    def _lose(self, rows: list[_Row]) -> None:
        self.outcomes_lost += len(rows)
        for row in rows:
            logger.error(
                "Outcome of call %s is lost: %s %s", row.call.call_id, row.details["result"], row.details["status"]
            )


def _outcome_row(call: Call, ending: Ending) -> _Row:
    details = {
        "result": ending.result.value,
        "status": ending.status,
        "code": storable(ending.code, 40),
        "duration_ms": ending.duration_ms,
    }
    return _Row(call, Phase.OUTCOME, details)


def _chained(rows: list[_Row], heads: dict[str, Head]) -> list[dict[str, Any]]:
    """The rows as they go into the record, each linked behind the last one of its workspace in `heads`."""
    now = timezone.now()
    made = []
    for row in rows:
        columns: dict[str, Any] = {
            "id": row.id,
            "phase": row.phase.value,
            "recorded_at": now,
            "org_name": storable(row.call.identity.org_name, 200),
            **_EMPTY,
            **row.details,
            **storable_columns(row.call),
        }
        heads[row.org_id] = link(columns, heads[row.org_id])
        made.append(columns)
    return made


def _resolve(waiters: list[asyncio.Future[bool]], is_committed: bool) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(is_committed)
