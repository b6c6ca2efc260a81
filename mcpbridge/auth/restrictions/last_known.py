"""Keep the last known restrictions on disk, for a start while the database is unavailable.

One file in VAR_DIR, authenticated under a key derived from SECRET_KEY and bound to its database, so that it cannot be
forged by writing to the disk. A restored older copy cannot be detected while the database is unavailable.
"""

import fcntl
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import connections
from django.utils import timezone
from django.utils.encoding import force_bytes

from mcpbridge.auth.restrictions.store import QUERIES, Restrictions
from mcpbridge.core.durable_files import sync_directory
from mcpbridge.db.timeouts import bounded_read, drop_connection
from mcpbridge.models import TokenBlock
from mcpbridge.workers import Attempts, PeriodicWorker

NAME = "restrictions"
_FORMAT = 2
# Copies of releases without grants, which have no row for them.
_WITHOUT_GRANTS = 1
_PURPOSE = b"hoursmith last known restrictions"
_LOOK_EVERY_S = 1.0
_LIMIT_S = 3.0
# Renewed even without changes, so that the copy shows how old it is.
_RENEW_EVERY_S = 300.0
# Pending approval requests restrict nothing, and change with each request.
_KEPT = QUERIES[:-1]


class NoUsableCopyError(Exception):
    """There is no usable copy; the text says why."""


class LastKnownFile:
    """The authenticated copy in `folder` of the restrictions of `database`."""

    def __init__(self, folder: Path, *, database: str) -> None:
        self._path = folder / NAME
        self._database = database

    def read(self) -> tuple[Restrictions, str]:
        """Return the restrictions and their time (ISO 8601); raise NoUsableCopyError."""
        try:
            seal, _, content = self._path.read_bytes().partition(b"\n")
        except OSError as error:
            raise NoUsableCopyError(f"{self._path}: {error.strerror}") from None
        keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
        if not any(hmac.compare_digest(seal, _seal(key, content)) for key in keys):
            raise NoUsableCopyError(f"{self._path} is damaged, or was sealed under another SECRET_KEY")
        found: dict[str, Any] = json.loads(content)
        if found["format"] not in (_FORMAT, _WITHOUT_GRANTS) or found["database"] != self._database:
            raise NoUsableCopyError(f"{self._path} is of another database or release")
        return Restrictions.from_rows(*found["rows"]), str(found["at"])

    def write(self, rows: list[list[Any]]) -> None:
        """Replace the copy by `rows`, the results of the queries in `_KEPT`, durably and atomically."""
        at = timezone.now().isoformat(timespec="seconds")
        facts = {"format": _FORMAT, "database": self._database, "at": at, "rows": rows}
        content = json.dumps(facts, separators=(",", ":")).encode()
        part = self._path.with_suffix(".part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(_seal(settings.SECRET_KEY, content) + b"\n" + content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)
        sync_directory(self._path.parent)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Yield whether this process holds the lock for reading the database and writing the copy.

        So what is written last was read last, and an older state never replaces a newer one.
        """
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(lock)


class LastKnownWriter:
    """Writes the copy whenever the restrictions differ from the ones written last."""

    def __init__(self, file: LastKnownFile, known: Callable[[], Restrictions | None]) -> None:
        """Take `known`, which returns what the database last supplied; None if nothing yet."""
        self._file = file
        self._known = known
        self._alias = TokenBlock.objects.db
        self._kept: Restrictions | None = None
        self._renew_at = 0.0
        self._worker = PeriodicWorker(
            "restrictions-copy",
            self._round,
            attempts=Attempts("restrictions-copy", title="The copy of the restrictions", every_s=_LOOK_EVERY_S),
            alias=self._alias,
            limit_s=_LIMIT_S,
        )

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._worker.start()
        self._worker.wake()

    def wake(self) -> None:
        """Write now: the restrictions changed."""
        self._worker.wake()

    async def stop(self) -> None:
        """End after the copy that is being written."""
        await self._worker.stop(within_s=2 * _LIMIT_S)

    def _round(self) -> None:
        known = self._known()
        if known is None:
            return
        is_kept = replace(known, undecided=frozenset()) == self._kept
        if is_kept and time.monotonic() < self._renew_at:
            return
        with self._file.alone() as is_ours:
            if not is_ours:
                return
            rows = self._read()
            self._file.write(rows)
        self._kept, self._renew_at = Restrictions.from_rows(*rows), time.monotonic() + _RENEW_EVERY_S

    def _read(self) -> list[list[Any]]:
        try:
            with bounded_read(self._alias, limit_s=_LIMIT_S), connections[self._alias].cursor() as cursor:
                found = []
                for question in _KEPT:
                    cursor.execute(question)
                    found.append([list(row) for row in cursor.fetchall()])
                return found
        finally:
            # Used too rarely to stay open.
            drop_connection(self._alias)


def _seal(key: str | bytes, content: bytes) -> bytes:
    made = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(force_bytes(key))
    return hmac.new(made, content, hashlib.sha256).hexdigest().encode()
