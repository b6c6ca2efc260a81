"""Record every call after it ended, in batches, without making callers wait.

The event loop only appends to a queue. A thread writes it four times a second in one transaction: a row for each call,
and the observed tokens and AI clients (`mcpbridge.activity.observed`). While the database is slow or unavailable the
queue goes to disk (`mcpbridge.activity.backlog`); calls that do not fit there either are counted by workspace and shown
as lost, and so are the calls that a killed process had in memory (`mcpbridge.activity.loss_counter`).
"""

import logging
import threading
import time
from collections import Counter, deque
from dataclasses import replace
from pathlib import Path

from django.db import DataError, Error, IntegrityError, router

from mcpbridge.activity.backlog import Backlog
from mcpbridge.activity.batch import Batch, Loss, write_batch
from mcpbridge.activity.connections import Greeting
from mcpbridge.activity.loss_counter import PendingCallCounter
from mcpbridge.activity.observed import EndedCall
from mcpbridge.activity.rejections import Rejection, overflow_bucket
from mcpbridge.activity.upkeep import clean_up, record_orphaned_counts
from mcpbridge.core.types import Call, CallResult
from mcpbridge.db.reasons import plain_reason
from mcpbridge.db.timeouts import bounded_transaction, drop_connection
from mcpbridge.models import ToolCall
from mcpbridge.observability import metrics
from mcpbridge.workers import AlreadyLoggedError, Attempts, PeriodicWorker

logger = logging.getLogger(__name__)

_BATCH_AT_MOST = 1_000
_LONGEST_PAUSE_S = 2.0
# Only the latest of each connection matters, and clients send more.
_GREETINGS_AT_MOST = 1_000
_CLEAN_UP_EVERY_S = 3600.0
_LOSSES_EVERY_S = 5.0
_TELL_EVERY_S = 60.0
_ARGUMENTS_LEFT_OUT = {"…": "omitted while the activity log was behind"}


class ActivityRecorder:
    """The activity recorder of this process. Start it after forking, stop it after the last call."""

    def __init__(
        self, *, interval_s: float = 0.25, capacity: int = 10_000, limit_s: float = 5.0, folder: Path | None = None
    ) -> None:
        """Write every `interval_s` seconds; keep `capacity` calls at most while the database cannot take them.

        The recorder's thread waits at most `limit_s` seconds for the database before it tries again. `folder` is
        where the recorders of this machine keep and count what is not written yet, so that nothing is forgotten.
        """
        self._folder = folder
        self._pending_calls = PendingCallCounter(None)
        self._backlog = Backlog(folder)
        self._interval_s = interval_s
        self._limit_s = limit_s
        self._capacity = capacity
        self._alias = router.db_for_write(ToolCall)
        self._ended: deque[EndedCall] = deque()
        self._rejections: deque[Rejection] = deque()
        self._greetings: deque[Greeting] = deque(maxlen=_GREETINGS_AT_MOST)
        self._pending: deque[Batch] = deque()
        self._held = 0
        self._overflow_lock = threading.Lock()
        self._losses: dict[str, Loss] = {}
        self._losses_due_at = 0.0
        self._uncounted: Counter[Rejection] = Counter()
        self._counts = metrics.CallCounts()
        self._look_at = self._clean_up_at = 0.0
        self._worker = PeriodicWorker(
            "activity-recorder",
            self._round,
            attempts=Attempts("activity", title="Activity", every_s=interval_s, longest_pause_s=_LONGEST_PAUSE_S),
            alias=self._alias,
            limit_s=limit_s,
            leave=self._leave,
        )
        # Why the last batch could not be written; empty while activity is recorded.
        self._fault = ""
        self._tell_at = 0.0
        self.lost = 0

    @property
    def waiting(self) -> int:
        """Return the number of calls that are not stored yet."""
        return len(self._ended) + self._held

    def start(self) -> None:
        """Start the recorder thread."""
        self._pending_calls = PendingCallCounter(self._folder)
        self._worker.start()

    async def stop(self) -> None:
        """Write what is waiting, once, and stop the thread; unwritten calls are logged as lost."""
        # One attempt in progress and one more, each up to its time limit.
        await self._worker.stop(within_s=3 * self._limit_s)

    def call(self, call: Call, call_result: CallResult, *, recorded_in_token: bool = True) -> None:
        """Queue a call that ended. Never waits and never raises.

        `recorded_in_token`: Hoursmith accepted this token, so its history is updated.
        """
        self._counts.count(call, call_result)
        self._pending_calls.ended(call.identity.org_id, call.at)
        waiting = len(self._ended) + self._held
        if waiting >= self._capacity:
            self._lose(call)
            return
        if waiting >= self._capacity // 5:
            # Long arguments of ten thousand calls would take gigabytes; the calls themselves matter more.
            call = replace(call, arguments=_ARGUMENTS_LEFT_OUT)
        self._ended.append(EndedCall(call, call_result, recorded_in_token))

    def rejected(self, rejection: Rejection) -> None:
        """Queue a rejected credential. Never waits and never raises."""
        metrics.count_rejected_credential(rejection.fault)
        if len(self._rejections) < self._capacity:
            self._rejections.append(rejection)
        else:
            with self._overflow_lock:
                self._uncounted[overflow_bucket(rejection.fault)] += 1

    def greeted(self, greeting: Greeting) -> None:
        """Queue a request on a connection that is not a tool call. Never waits and never raises."""
        self._greetings.append(greeting)

    def _lose(self, call: Call) -> None:
        with self._overflow_lock:
            self.lost += 1
            metrics.activity_lost.inc()
            loss = self._losses.setdefault(call.identity.org_id, Loss(call.at, call.at))
            loss.calls += 1
            loss.since, loss.until = min(loss.since, call.at), max(loss.until, call.at)

    # The methods below run on the recorder thread.

    def _round(self) -> None:
        if self._fault or self._backlog.is_in_use:
            self._keep_on_disk(at_least=self._capacity // 5)
        metrics.activity_waiting.set(self.waiting + self._backlog.calls)
        is_done = self._empty_queue()
        self._counts.flush()
        if not is_done:
            raise AlreadyLoggedError(self._fault)
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOSSES_EVERY_S
            self._backlog.adopt()
            if self._folder is not None:
                record_orphaned_counts(self._alias, self._folder, limit_s=self._limit_s)
        if time.monotonic() >= self._clean_up_at:
            self._clean_up_at = time.monotonic() + _CLEAN_UP_EVERY_S
            clean_up(self._alias, limit_s=self._limit_s)

    def _leave(self) -> None:
        try:
            self._round()
        finally:
            self._keep_on_disk(at_least=1)
            self._give_up([*(each for batch in self._pending for each in batch.ended), *self._ended])
            self._backlog.close()
            self._pending_calls.close()

    def _keep_on_disk(self, *, at_least: int) -> None:
        """Move waiting calls to disk if there are `at_least` so many, or if earlier ones are there already."""
        if self.waiting < at_least and not self._backlog.is_in_use:
            return
        # What may be committed already stays in memory, where that is looked up.
        batches = [batch for batch in self._pending if not batch.is_doubtful]
        waiting = [each for batch in batches for each in batch.ended]
        waiting += [self._ended.popleft() for _ in range(len(self._ended))]
        kept = self._backlog.keep(waiting)
        self._pending_calls.settled(Counter(each.call.identity.org_id for each in waiting[:kept]))
        for batch in batches:
            batch.ended = []
        self._ended.extendleft(reversed(waiting[kept:]))
        self._held = sum(len(batch.ended) for batch in self._pending)

    def _empty_queue(self) -> bool:
        """Write what is waiting, but not what comes meanwhile; return False if the database failed.

        Under load many small transactions would follow each other, and each updates the row of every token again.
        """
        batches_due = 1 + len(self._ended) // _BATCH_AT_MOST
        while True:
            if not (self._pending or self._take_from_disk()):
                if not (batches_due and self._take()):
                    return True
                batches_due -= 1
            is_written = self._write(self._pending.popleft())
            self._held = sum(len(batch.ended) for batch in self._pending if batch.spill is None)
            if not is_written:
                return False

    def _take_from_disk(self) -> bool:
        batch = self._backlog.batch(_BATCH_AT_MOST)
        if batch is not None:
            self._pending.append(batch)
        return batch is not None

    def _take(self) -> bool:
        """Move what is waiting into the next batch; return False if there is nothing."""
        batch = Batch()
        self._held = min(len(self._ended), _BATCH_AT_MOST)
        batch.ended = [self._ended.popleft() for _ in range(self._held)]
        batch.rejected = Counter(self._rejections.popleft() for _ in range(len(self._rejections)))
        batch.greetings = [self._greetings.popleft() for _ in range(len(self._greetings))]
        with self._overflow_lock:
            batch.rejected.update(self._uncounted)
            self._uncounted.clear()
            if self._losses and (time.monotonic() >= self._losses_due_at or self._worker.is_stopping):
                self._losses_due_at = time.monotonic() + _LOSSES_EVERY_S
                batch.losses, self._losses = self._losses, {}
        is_something = bool(batch.ended or batch.rejected or batch.losses or batch.greetings)
        if is_something:
            self._pending.append(batch)
        return is_something

    def _write(self, batch: Batch) -> bool:
        is_committing = False
        try:
            with bounded_transaction(self._alias, limit_s=self._limit_s):
                if batch.spill is not None:
                    new = replace(batch, ended=self._without_rows(batch.ended))
                    self._record(new)
                    batch.unattributed = new.unattributed
                elif not (batch.is_doubtful and self._is_present(batch)):
                    self._record(batch)
                is_committing = True
        except Exception as error:
            batch.is_doubtful = batch.is_doubtful or is_committing
            return self._recover(batch, error)
        if batch.is_counted:
            self._pending_calls.settled(Counter(each.call.identity.org_id for each in batch.ended))
        self._backlog.forget(batch)
        self._pending_calls.settled({org_id: loss.calls for org_id, loss in batch.losses.items()})
        self._tell_operators(batch.unattributed)
        if self._fault:
            self._fault = ""
            logger.warning("Activity can be recorded again.")
        return True

    def _tell_operators(self, calls: int) -> None:
        """Count and log `calls` of unknown tokens, which belong to no workspace; anyone can cause them."""
        if not calls:
            return
        metrics.unattributed_calls.inc(calls)
        if time.monotonic() >= self._tell_at:
            self._tell_at = time.monotonic() + _TELL_EVERY_S
            logger.warning(
                "Calls with unknown tokens got no answer from Hoursmith and belong to no workspace: %d.", calls
            )

    def _is_present(self, batch: Batch) -> bool:
        # A transaction is atomic, so any of its calls proves that all are stored.
        calls = ToolCall.objects.using(self._alias)
        return calls.filter(call_id__in=[each.call.call_id for each in batch.ended]).exists()

    def _without_rows(self, ended: list[EndedCall]) -> list[EndedCall]:
        calls = ToolCall.objects.using(self._alias).filter(call_id__in=[each.call.call_id for each in ended])
        present = set(calls.values_list("call_id", flat=True))
        return [each for each in ended if each.call.call_id not in present]

    def _record(self, batch: Batch) -> None:
        write_batch(self._alias, batch)

    def _recover(self, batch: Batch, error: Exception) -> bool:
        """Requeue `batch` after a database failure; otherwise split it to find the faulty row, and drop that one."""
        if isinstance(error, Error) and not isinstance(error, DataError | IntegrityError):
            if not self._fault:
                logger.error("Activity cannot be recorded now: %s: %s", type(error).__name__, error)
            self._fault = plain_reason(error)
            drop_connection(self._alias)
            if batch.spill is None:
                self._pending.appendleft(batch)
            return False
        self._backlog.forget(batch)
        parts = batch.parts()
        if len(parts) > 1:
            self._pending.extendleft(reversed(parts))
        else:
            logger.error("An activity row cannot be stored.", exc_info=error)
            self._give_up(batch.ended)
        return True

    def _give_up(self, ended: list[EndedCall]) -> None:
        for each in ended:
            self._lose(each.call)
        if self._worker.is_stopping and ended:
            logger.error("%d calls are lost without an activity row.", len(ended))
