"""Idempotency keys (contract section 6): a repeated POST runs once.

A request first claims its key, visible to all workers. Its response is stored in the same transaction as its effect, so
one exists only with the other.
"""

import hashlib
import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, router, transaction

from hoursmith_console.sandbox.api.errors import ConflictError
from hoursmith_console.sandbox.models import IdempotencyRecord, Token

KEPT = timedelta(hours=24)
# An older claim belongs to a process that died. Taking it over is safe: if its owner is still running, `finish` finds
# the claim gone and rolls the owner's work back.
LEASE = timedelta(seconds=60)


def fingerprint(body: Any) -> str:
    """Return a hash that is equal for equal JSON values, regardless of spacing and order."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


def claim(*, token: Token, path: str, key: str, body: Any, now: datetime) -> IdempotencyRecord:
    """Return the record of this key: the stored response if it has a `status`, otherwise a new claim.

    Raises ConflictError if the key was used with another body, or its first request is still running.
    """
    database = router.db_for_write(IdempotencyRecord)
    print_ = fingerprint(body)
    place = {"token": token, "path": path, "key": key}
    fresh = {"fingerprint": print_, "claim": uuid.uuid4(), "created_at": now, "status": None, "body": ""}
    with transaction.atomic(using=database):
        IdempotencyRecord.objects.filter(created_at__lte=now - KEPT).delete()
        try:
            with transaction.atomic(using=database):
                return IdempotencyRecord.objects.create(**place, **fresh)
        except IntegrityError:
            record = IdempotencyRecord.objects.select_for_update().filter(**place).first()
    if record is None:
        raise ConflictError("A request with this Idempotency-Key has just ended. Send it again.")
    if record.fingerprint != print_:
        raise ConflictError("This Idempotency-Key was used with another body.")
    if record.status is not None:
        return record
    return _take_over(record, fresh, now)


def _take_over(record: IdempotencyRecord, fresh: dict[str, Any], now: datetime) -> IdempotencyRecord:
    left_behind = IdempotencyRecord.objects.filter(
        pk=record.pk, claim=record.claim, status=None, created_at__lte=now - LEASE
    )
    if not left_behind.update(**fresh):
        raise ConflictError("A request with this Idempotency-Key is still running.")
    record.refresh_from_db()
    return record


def finish(record: IdempotencyRecord, *, status: int, body: str) -> None:
    """Store the response. Call it inside the transaction of the request."""
    mine = IdempotencyRecord.objects.filter(pk=record.pk, claim=record.claim)
    if not mine.update(status=status, body=body):
        raise ConflictError("Another request with this Idempotency-Key took over.")


def release(record: IdempotencyRecord) -> None:
    """Release the key: only successful responses are stored."""
    IdempotencyRecord.objects.filter(pk=record.pk, claim=record.claim, status=None).delete()
