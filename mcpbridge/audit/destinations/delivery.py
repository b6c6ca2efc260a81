"""Deliver batches to one destination: lease it in the database, send, acknowledge in the database.

The lease lasts longer than any attempt, and no other process sends meanwhile. If a process dies, its lease expires
and the next process sends the same batch again. A slow process whose lease has expired cannot acknowledge, because
the new owner has changed the row.
"""

import logging
import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import router
from django.db.models import F, Q

from mcpbridge.audit.destinations.batches import BYTES, Batch, next_batch, waiting
from mcpbridge.audit.destinations.errors import DestinationError, TooLargeError, UndeliveredError
from mcpbridge.audit.destinations.transports.factory import send_batch
from mcpbridge.db.timeouts import bounded_read, bounded_transaction
from mcpbridge.models.destinations import LogDestination, LogDestinationQuerySet
from mcpbridge.redaction.masking import redact

logger = logging.getLogger(__name__)

LIMIT_S = 5.0
_FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=5)
# Upper bound for a receiver's Retry-After.
LONGEST_RETRY_AFTER = timedelta(hours=1)
# Length of a lease in attempts: longer than any attempt with its DNS lookup, yet short after a crash.
_LEASE_ATTEMPTS = 3
# Batches per run; other destinations are served after that.
_BATCHES_A_RUN = 20


@dataclass(frozen=True, slots=True)
class Delivery:
    """Delivers on behalf of one process.

    `holder` is the process's id in leases, `now` its clock; writes happen within `file_lock`. An attempt takes at most
    `limit_s` seconds.
    """

    holder: str
    now: Callable[[], datetime]
    file_lock: AbstractContextManager[None]
    limit_s: float

    def due(self) -> list[int]:
        """Return the primary keys of destinations with something to send, longest waiting first."""
        alias = _alias()
        with bounded_read(alias, limit_s=LIMIT_S):
            destinations = waiting(_free(self.now()), alias).order_by(F("acked_at").asc(nulls_first=True), "id")
            return list(destinations.values_list("id", flat=True))

    def run(self, key: int, *, until: Callable[[], bool] = lambda: False) -> int:
        """Deliver up to 20 batches, or until `until()` is true; return the number of acknowledged rows."""
        sent = 0
        for _ in range(_BATCHES_A_RUN):
            batch = None if until() else self._one(key)
            if batch is None:
                break
            sent += batch.rows
        return sent

    def _one(self, key: int) -> Batch | None:
        """Send one batch; return it if it was acknowledged, else None."""
        alias = _alias()
        with bounded_read(alias, limit_s=LIMIT_S):
            destination = _free(self.now()).using(alias).filter(pk=key).first()
            batch = next_batch(destination, alias) if destination else None
        if destination is None or batch is None or not self._lease(destination, batch):
            return None
        try:
            send_batch(destination, batch, now=self.now(), limit_s=self.limit_s)
        except DestinationError as error:
            if isinstance(error, TooLargeError) and batch.is_divisible:
                self._shrink(destination, batch)
            else:
                self._failed(destination, batch, error)
            return None
        if self._ack(destination, batch):
            return batch
        # It was restarted from another row meanwhile; continue from there at once.
        self._write(LogDestination.objects.filter(pk=destination.pk, lease_holder=self.holder), **_RELEASED)
        return None

    def _lease(self, destination: LogDestination, batch: Batch) -> bool:
        """Take the lease and store the bounds of the batch; return False if another process has taken it."""
        now = self.now()
        return self._write(
            _free(now).filter(**_as_read(destination)),
            lease_holder=self.holder,
            lease_expires_at=now + timedelta(seconds=_LEASE_ATTEMPTS * self.limit_s),
            leased=batch.last,
            leased_checkpoint=batch.checkpoint,
        )

    def _ack(self, destination: LogDestination, batch: Batch) -> bool:
        is_acked = self._write(
            self._mine(destination),
            acked=batch.last,
            acked_checkpoint=batch.checkpoint,
            acked_at=self.now(),
            rows_sent=F("rows_sent") + batch.rows,
            size_limit=_grown(destination.size_limit, batch),
            attempts=0,
            failing_since=None,
            fault="",
            next_try_at=None,
            **_RELEASED,
            leased=0,
            leased_checkpoint=0,
        )
        if is_acked and destination.failing_since:
            logger.warning("Log destination %s of workspace %s accepts rows again.", destination.pk, destination.org_id)
        return is_acked

    def _shrink(self, destination: LogDestination, batch: Batch) -> None:
        """Halve the batch size; a receiver with a size limit has not failed."""
        # The only place where the bounds of a leased batch change: a smaller batch is another message.
        limit = len(batch.lines) // 2
        self._write(self._mine(destination), size_limit=limit, leased=0, leased_checkpoint=0, **_RELEASED)
        logger.info(
            "Log destination %s of workspace %s accepts smaller batches only: %s bytes from now on.",
            destination.pk,
            destination.org_id,
            limit,
        )

    def _failed(self, destination: LogDestination, batch: Batch, error: DestinationError) -> None:
        now = self.now()
        not_before = error.not_before if isinstance(error, UndeliveredError) else None
        fault = redact(str(error))[:300]
        self._write(
            self._mine(destination),
            attempts=destination.attempts + 1,
            failures=F("failures") + 1,
            failing_since=destination.failing_since or now,
            fault=fault,
            next_try_at=next_try(now, destination.attempts + 1, not_before),
            **_RELEASED,
        )
        if fault != destination.fault:
            logger.error("Log destination %s of workspace %s: %s", destination.pk, destination.org_id, fault)

    def _mine(self, destination: LogDestination) -> LogDestinationQuerySet:
        return LogDestination.objects.filter(lease_holder=self.holder, **_as_read(destination))

    def _write(self, destinations: LogDestinationQuerySet, **columns: Any) -> bool:
        alias = _alias()
        with self.file_lock, bounded_transaction(alias, limit_s=LIMIT_S):
            return bool(destinations.using(alias).update(**columns))


def _grown(limit: int, batch: Batch) -> int:
    """Return the new batch size limit in bytes, a little larger if the accepted `batch` was full; 0 for none."""
    if limit and batch.is_full:
        limit = max(limit + limit // 16, len(batch.lines))
    return limit if limit < BYTES else 0


_RELEASED: dict[str, Any] = {"lease_holder": "", "lease_expires_at": None}


def next_try(now: datetime, attempts: int, not_before: datetime | None) -> datetime:
    """Return when to retry after `attempts` failures: exponential backoff with jitter, not before `not_before`."""
    pause: timedelta = min(_FIRST_PAUSE * 2 ** min(attempts - 1, 20), LONGEST_PAUSE)
    # Jitter keeps the destinations of one receiver from retrying all at once.
    at = now + pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret is made of it
    return at if not_before is None else max(at, min(not_before, now + LONGEST_RETRY_AFTER))


def _free(now: datetime) -> LogDestinationQuerySet:
    """Return destinations that are due and not leased."""
    is_due = Q(next_try_at=None) | Q(next_try_at__lte=now)
    is_free = Q(lease_expires_at=None) | Q(lease_expires_at__lte=now)
    return LogDestination.objects.live().filter(is_due, is_free, is_paused=False)


def _as_read(destination: LogDestination) -> dict[str, Any]:
    """Return the position as it was read; a write filtered by it fails if another process has changed it since."""
    return {
        "pk": destination.pk,
        "acked": destination.acked,
        "acked_checkpoint": destination.acked_checkpoint,
        "restarts": destination.restarts,
    }


def _alias() -> str:
    return router.db_for_write(LogDestination)
