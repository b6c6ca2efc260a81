"""Idempotency keys (contract section 6): a POST that is sent twice is carried out once.

A request first claims its key, visibly to every other worker. The answer is stored in the transaction that
carries the request out, so the record of it exists exactly where its effect does.
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
# A claim older than this was left behind by a process that died. Taking it over is safe: if its owner should
# live after all, `finish` finds the claim gone and undoes the owner's work.
LEASE = timedelta(seconds=60)


def fingerprint(body: Any) -> str:
    """The same for bodies that say the same, however they are spaced and ordered."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


def claim(*, token: Token, path: str, key: str, body: Any, now: datetime) -> IdempotencyRecord:
    """The record of this key: with a `status` the kept answer, without one ours to carry out.

    Raises ConflictError where the key was used with another body, or its first request is still running.
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
    """Keep the answer; to be called inside the transaction that carries the request out."""
    mine = IdempotencyRecord.objects.filter(pk=record.pk, claim=record.claim)
    if not mine.update(status=status, body=body):
        raise ConflictError("Another request with this Idempotency-Key took over.")


def release(record: IdempotencyRecord) -> None:
    """Give the key back: only successes are kept."""
    IdempotencyRecord.objects.filter(pk=record.pk, claim=record.claim, status=None).delete()
