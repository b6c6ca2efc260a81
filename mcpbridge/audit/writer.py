"""Write audit rows ahead of destructive calls, with group commit. The only writer of audit rows.

A destructive call may be sent only after its intent is durably committed; its outcome follows. One thread per process
commits all waiting rows in one transaction, so that sixteen callers cost one disk flush.

Failures, and what the audit log then shows:

    the intent cannot be committed in time        nothing is sent; no row, or intent and a refused outcome
    the process dies between intent and outcome   an intent without an outcome: outcome unknown
    the outcome cannot be committed in time       retried until it is committed or the process ends
    the reply to a commit is lost                 looked up and repeated; each row has its own id
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

from django.db import DataError, Error, IntegrityError, connections, router
from django.utils import timezone

from mcpbridge.audit.errors import UNAVAILABLE_CODE, AuditUnavailableError, HourlyLimitError
from mcpbridge.audit.queue import QueueEntry, settle, wait_for
from mcpbridge.audit.rows import AuditRow, append_rows, intent_row, outcome_row, refusal_row
from mcpbridge.core.types import Call, CallResult
from mcpbridge.db.locks import FileLock
from mcpbridge.db.reasons import plain_reason
from mcpbridge.db.timeouts import bounded_transaction, drop_connection
from mcpbridge.models import AuditEvent, AuditPhase, Result
from mcpbridge.observability import metrics
from mcpbridge.workers import AlreadyLoggedError, Attempts, PeriodicWorker

logger = logging.getLogger(__name__)

# How long a commit waits for further callers, and how often in a row while more arrive.
_GATHER_PAUSE_S = 0.001
_GATHER_ROUNDS = 6
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.25


class AuditWriter:
    """The writer of audit rows of this process. Start it after forking, stop it after the last call."""

    def __init__(self, *, timeout_s: float, lock_path: Path | None, capacity: int = 4_000) -> None:
        """Refuse what cannot be committed within `timeout_s` seconds; queue up to `capacity` rows, half of it intents.

        `lock_path` is a file on a local disk, by which several processes take turns at one SQLite database.
        """
        self._timeout_s = timeout_s
        self._capacity = capacity
        self._alias = router.db_for_write(AuditEvent)
        is_sqlite = connections.settings[self._alias]["ENGINE"].endswith("sqlite3")
        self._file_lock = FileLock(lock_path if is_sqlite else None, limit_s=timeout_s / 2)
        self._changed = threading.Condition()
        self._queue: deque[QueueEntry] = deque()
        self._worker = PeriodicWorker(
            "audit-writer",
            self._round,
            attempts=Attempts(
                "audit",
                title="The audit log",
                every_s=0.0,
                again_s=_FIRST_PAUSE_S,
                longest_pause_s=_LONGEST_PAUSE_S,
                is_on_demand=True,
            ),
            alias=self._alias,
            limit_s=timeout_s,
            wait=self._has_work,
            leave=self._leave,
        )
        self._stop_at: float | None = None
        self._is_open = False
        # Why the last commit failed; empty while the audit log can be written.
        self._fault = ""
        # Callers between the start of their intent and the end of their outcome.
        self._in_progress = 0
        self.outcomes_lost = 0

    @property
    def waiting(self) -> int:
        """Return the number of rows that are not committed yet."""
        return len(self._queue)

    def start(self) -> None:
        """Start the writer thread."""
        self._stop_at, self._is_open = None, True
        self._worker.start()

    async def stop(self) -> None:
        """Commit the waiting rows within the time limit and stop the thread."""
        with self._changed:
            self._stop_at = time.monotonic() + self._timeout_s
            self._changed.notify()
        await asyncio.to_thread(self._worker.join, 3 * self._timeout_s + 1)

    async def intent(
        self, call: Call, *, snapshot: Any | None, snapshot_fault: str = "", hourly_limit: int | None = None
    ) -> None:
        """Return once the intent of `call` is durably committed; only then may the call be sent.

        Raises HourlyLimitError if the token would exceed `hourly_limit` intents in an hour, counted in the same
        transaction, and AuditUnavailableError if the time limit passes. If the row is committed later after all, an
        outcome "refused" follows it.
        """
        waiter = asyncio.get_running_loop().create_future()
        row = intent_row(call, snapshot=snapshot, snapshot_fault=snapshot_fault, hourly_limit=hourly_limit)
        entry = QueueEntry(row, waiter)
        if not self._put([entry], self._capacity // 2):
            raise AuditUnavailableError("The audit log does not accept entries now, so nothing was sent to Hoursmith.")
        is_committed = False
        self._in_progress += 1
        try:
            is_committed = await wait_for(waiter, self._timeout_s)
        finally:
            if not is_committed:
                self._in_progress -= 1
                self._withdraw(entry)
        if entry.is_over_limit:
            raise HourlyLimitError
        if not is_committed:
            raise AuditUnavailableError(
                f"The audit log could not be written within {self._timeout_s:g} seconds,"
                " so nothing was sent to Hoursmith."
            )

    async def outcome(self, call: Call, call_result: CallResult) -> bool:
        """Return True once the outcome of `call` is durably committed, False if it is still being retried."""
        waiter = asyncio.get_running_loop().create_future()
        entry = QueueEntry(outcome_row(call, call_result), waiter)
        try:
            if self._put([entry], self._capacity):
                return await wait_for(waiter, self._timeout_s)
        finally:
            self._in_progress = max(0, self._in_progress - 1)
        self._lose([entry])
        return False

    def record(self, rows: Sequence[AuditRow]) -> None:
        """Return once `rows` are durably committed; for threads without an event loop.

        Raises AuditUnavailableError if the time limit passes. If an event is committed later after all, an outcome
        "refused" follows it.
        """
        waiting: dict[futures.Future[bool], QueueEntry] = {}
        for row in rows:
            waiter: futures.Future[bool] = futures.Future()
            waiting[waiter] = QueueEntry(row, waiter)
        if not self._put(list(waiting.values()), self._capacity // 2):
            raise AuditUnavailableError("The audit log does not accept entries now, so nothing was done.")
        futures.wait(waiting, self._timeout_s)
        missing = [entry for waiter, entry in waiting.items() if not (waiter.done() and waiter.result())]
        for entry in missing:
            self._withdraw(entry)
        if missing:
            raise AuditUnavailableError(
                f"The audit log could not be written within {self._timeout_s:g} seconds, so nothing was done."
            )

    def _put(self, entries: Sequence[QueueEntry], limit: int) -> bool:
        """Queue `entries`; return False if the queue would exceed `limit` or the writer is not running."""
        with self._changed:
            # A thread does not survive a fork, so this also refuses in a child that forgot to start.
            if not (self._is_open and self._worker.is_alive) or len(self._queue) + len(entries) > limit:
                return False
            self._queue.extend(entries)
            self._changed.notify()
        return True

    def _withdraw(self, entry: QueueEntry) -> None:
        """Drop a row whose caller has given up, or queue a refused outcome if it may be committed already."""
        call = entry.row.call
        with self._changed:
            if not entry.is_claimed:
                entry.is_dropped = True
                return
            if entry.row.phase not in (AuditPhase.INTENT, AuditPhase.EVENT):
                return
            elapsed_ms = (timezone.now() - call.at).total_seconds() * 1000
            refusal = QueueEntry(refusal_row(entry.row, CallResult(Result.REFUSED, 503, UNAVAILABLE_CODE, elapsed_ms)))
            if self._is_open:
                self._queue.append(refusal)
                self._changed.notify()
            else:
                self._lose([refusal])

    # The methods below run on the writer thread.

    def _round(self) -> None:
        metrics.audit_waiting.set(len(self._queue))
        self._gather()
        is_written = self._write()
        metrics.audit_waiting.set(len(self._queue))
        if not is_written:
            raise AlreadyLoggedError(self._fault)

    def _leave(self) -> None:
        self._lose([entry for entry in self._queue if entry.row.phase == AuditPhase.OUTCOME])
        settle(list(self._queue), is_committed=False)
        self._file_lock.close()

    def _has_work(self) -> bool:
        """Wait for rows to write; return False when it is time to stop."""
        # After a failed commit, pause before the next one.
        time.sleep(self._worker.attempts.pause_s)
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stop_at is not None)
            self._is_open = self._stop_at is None or (bool(self._queue) and time.monotonic() < self._stop_at)
            return self._is_open

    def _gather(self) -> None:
        """Wait briefly for other callers in progress: a commit costs the same for one row as for sixteen.

        A single caller never waits, and waiting ends when no more callers arrive within a millisecond.
        """
        before = 0
        for _ in range(_GATHER_ROUNDS):
            waiting = len(self._queue)
            if waiting >= self._in_progress or waiting == before or self._stop_at is not None:
                return
            before = waiting
            time.sleep(_GATHER_PAUSE_S)

    def _write(self, alone: QueueEntry | None = None) -> bool:
        """Commit all waiting rows, or only `alone`, in one transaction; return False if the database failed."""
        entries: list[QueueEntry] = []
        over: list[QueueEntry] = []
        is_committing = False
        try:
            with self._file_lock, bounded_transaction(self._alias, limit_s=self._timeout_s):
                # Claimed only now that the database is locked, so that callers who gave up meanwhile leave no row.
                entries = [alone] if alone else self._claim()
                over = self._insert(entries)
                is_committing = True
        except Exception as error:
            return self._recover(entries, error, is_doubtful=is_committing)
        if self._fault:
            self._fault = ""
            logger.warning("The audit log can be written again.")
        for entry in over:
            entry.is_over_limit, entry.is_claimed = True, False
        settle(over, is_committed=False)
        settle([entry for entry in entries if not entry.is_over_limit], is_committed=True)
        return True

    def _claim(self) -> list[QueueEntry]:
        with self._changed:
            entries = [entry for entry in self._queue if not entry.is_dropped]
            self._queue.clear()
            for entry in entries:
                entry.is_claimed = True
        return entries

    def _insert(self, entries: list[QueueEntry]) -> list[QueueEntry]:
        """Insert the rows in order, except those that an earlier commit stored after all.

        Return the entries that were skipped because of hourly limits.
        """
        doubtful = [entry.row.id for entry in entries if entry.is_doubtful]
        events = AuditEvent.objects.using(self._alias)
        present = set(events.filter(pk__in=doubtful).values_list("pk", flat=True)) if doubtful else set()
        over = append_rows(self._alias, [entry.row for entry in entries if entry.row.id not in present])
        return [entry for entry in entries if entry.row in over]

    def _recover(self, entries: list[QueueEntry], error: Exception, *, is_doubtful: bool) -> bool:
        """Requeue `entries` after a database failure; otherwise find the faulty row and fail only that one."""
        if not entries or (isinstance(error, Error) and not isinstance(error, DataError | IntegrityError)):
            if not self._fault:
                logger.error("The audit log cannot be written now: %s: %s", type(error).__name__, error)
            self._fault = plain_reason(error)
            with self._changed:
                for entry in entries:
                    entry.is_doubtful = entry.is_doubtful or is_doubtful
                self._queue.extendleft(reversed(entries))
                self._queue = deque(entry for entry in self._queue if not entry.is_dropped)
            drop_connection(self._alias)
            return False
        if len(entries) == 1:
            logger.error("Audit row of call %s cannot be stored.", entries[0].row.call.call_id, exc_info=error)
            entries[0].is_claimed = False
            settle(entries, is_committed=False)
            return True
        # Try each, even after one failed: a row that is not written must be kept.
        tries = [self._write(alone=entry) for entry in entries]
        return all(tries)

    def _lose(self, entries: list[QueueEntry]) -> None:
        self.outcomes_lost += len(entries)
        metrics.outcomes_lost.inc(len(entries))
        for row in (entry.row for entry in entries):
            logger.error(
                "Outcome of call %s is lost: %s %s", row.call.call_id, row.details["result"], row.details["status"]
            )
