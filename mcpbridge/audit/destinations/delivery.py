"""Delivers to one sink, batch by batch: offered in the database, sent, confirmed in the database.

A process that offers a batch holds the sink for as long as any attempt can take; nobody else sends meanwhile. One
that dies leaves the offer, and the next process sends the same batch again. One that was only taken for dead cannot
confirm any more, since whoever took over has moved the sink, or holds it.
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
from mcpbridge.audit.destinations.errors import SinkError, TooLargeError, UndeliveredError
from mcpbridge.audit.destinations.transports.factory import batch_send
from mcpbridge.db.timeouts import limited_look, limited_transaction
from mcpbridge.models.destinations import Sink, SinkQuerySet
from mcpbridge.redaction.masking import redact

logger = logging.getLogger(__name__)

LIMIT_S = 5.0
_FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=5)
# A receiver may ask for more patience than that, within reason.
LONGEST_WISH = timedelta(hours=1)
# Longer than any attempt takes, looking its host up included; short enough to go on soon after a crash.
_HELD_FOR = 3
# Then it is another sink's turn.
_BATCHES = 20


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one process delivers: as `holder`, by the clock `now`, its writes within `turn`.

    An attempt takes `limit_s` seconds at most.
    """

    holder: str
    now: Callable[[], datetime]
    turn: AbstractContextManager[None]
    limit_s: float

    def due(self) -> list[int]:
        """The keys of the sinks for which there is something to send now, whoever waited longest first."""
        alias = _alias()
        with limited_look(alias, limit_s=LIMIT_S):
            sinks = waiting(_free(self.now()), alias).order_by(F("confirmed_at").asc(nulls_first=True), "id")
            return list(sinks.values_list("id", flat=True))

    def run(self, key: int, *, until: Callable[[], bool] = lambda: False) -> int:
        """Deliver what waits for the sink, until it has all, its turn is over, or `until` says so; rows confirmed."""
        sent = 0
        for _ in range(_BATCHES):
            batch = None if until() else self._one(key)
            if batch is None:
                break
            sent += batch.rows
        return sent

    def _one(self, key: int) -> Batch | None:
        """The batch that was confirmed; None where there is none, or it was not."""
        alias = _alias()
        with limited_look(alias, limit_s=LIMIT_S):
            sink = _free(self.now()).using(alias).filter(pk=key).first()
            batch = next_batch(sink, alias) if sink else None
        if sink is None or batch is None or not self._offer(sink, batch):
            return None
        try:
            batch_send(sink, batch, now=self.now(), limit_s=self.limit_s)
        except SinkError as error:
            if isinstance(error, TooLargeError) and batch.is_divisible:
                self._shrink(sink, batch)
            else:
                self._failed(sink, batch, error)
            return None
        if self._confirm(sink, batch):
            return batch
        # Somebody moved it meanwhile; it goes on from there, and at once.
        self._write(Sink.objects.filter(pk=sink.pk, holder=self.holder), **_GIVEN_BACK)
        return None

    def _offer(self, sink: Sink, batch: Batch) -> bool:
        """Hold the sink, and write down what it is sent; False where it is another process's by now."""
        now = self.now()
        return self._write(
            _free(now).filter(**_as_read(sink)),
            holder=self.holder,
            held_until=now + timedelta(seconds=_HELD_FOR * self.limit_s),
            offered=batch.last,
            offered_checkpoint=batch.checkpoint,
        )

    def _confirm(self, sink: Sink, batch: Batch) -> bool:
        confirmed = self._write(
            self._mine(sink),
            confirmed=batch.last,
            confirmed_checkpoint=batch.checkpoint,
            confirmed_at=self.now(),
            rows_sent=F("rows_sent") + batch.rows,
            size_limit=_grown(sink.size_limit, batch),
            attempts=0,
            failing_since=None,
            fault="",
            next_try_at=None,
            **_GIVEN_BACK,
            offered=0,
            offered_checkpoint=0,
        )
        if confirmed and sink.failing_since:
            logger.warning("Sink %s of workspace %s takes rows again.", sink.pk, sink.org_id)
        return confirmed

    def _shrink(self, sink: Sink, batch: Batch) -> None:
        """Send less from now on: a receiver that has a limit has not failed."""
        # Only here do the bounds of an offer change; less of it is another message.
        limit = len(batch.lines) // 2
        self._write(self._mine(sink), size_limit=limit, offered=0, offered_checkpoint=0, **_GIVEN_BACK)
        logger.info("Sink %s of workspace %s takes less at once: %s bytes from now on.", sink.pk, sink.org_id, limit)

    def _failed(self, sink: Sink, batch: Batch, error: SinkError) -> None:
        now = self.now()
        not_before = error.not_before if isinstance(error, UndeliveredError) else None
        fault = redact(str(error))[:300]
        self._write(
            self._mine(sink),
            attempts=sink.attempts + 1,
            failures=F("failures") + 1,
            failing_since=sink.failing_since or now,
            fault=fault,
            next_try_at=next_try(now, sink.attempts + 1, not_before),
            **_GIVEN_BACK,
        )
        if fault != sink.fault:
            logger.error("Sink %s of workspace %s: %s", sink.pk, sink.org_id, fault)

    def _mine(self, sink: Sink) -> SinkQuerySet:
        return Sink.objects.filter(holder=self.holder, **_as_read(sink))

    def _write(self, sinks: SinkQuerySet, **columns: Any) -> bool:
        alias = _alias()
        with self.turn, limited_transaction(alias, limit_s=LIMIT_S):
            return bool(sinks.using(alias).update(**columns))


def _grown(limit: int, batch: Batch) -> int:
    """Return how many bytes to send at once after `batch` was taken: a little more where it was full; 0 for any."""
    if limit and batch.is_full:
        limit = max(limit + limit // 16, len(batch.lines))
    return limit if limit < BYTES else 0


_GIVEN_BACK: dict[str, Any] = {"holder": "", "held_until": None}


def next_try(now: datetime, attempts: int, not_before: datetime | None) -> datetime:
    """When to try again after `attempts` failures: later each time, at random, and not before the receiver wants it."""
    pause: timedelta = min(_FIRST_PAUSE * 2 ** min(attempts - 1, 20), LONGEST_PAUSE)
    # At random, so that many sinks of one receiver do not come back all at once.
    at = now + pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret is made of it
    return at if not_before is None else max(at, min(not_before, now + LONGEST_WISH))


def _free(now: datetime) -> SinkQuerySet:
    """Sinks that are to be served now and that nobody holds."""
    is_due = Q(next_try_at=None) | Q(next_try_at__lte=now)
    is_free = Q(held_until=None) | Q(held_until__lte=now)
    return Sink.objects.live().filter(is_due, is_free, is_paused=False)


def _as_read(sink: Sink) -> dict[str, Any]:
    """Where it stood when it was read: whoever moved it meanwhile, or confirmed in our place, has the last word."""
    return {
        "pk": sink.pk,
        "confirmed": sink.confirmed,
        "confirmed_checkpoint": sink.confirmed_checkpoint,
        "restarts": sink.restarts,
    }


def _alias() -> str:
    return router.db_for_write(Sink)
