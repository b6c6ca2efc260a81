"""Keep the restrictions in memory up to date with the database, on SQLite and PostgreSQL.

While the database is unavailable, the last known restrictions apply, also after a restart (`last_known`). If none are
known, every request is answered 503.
"""

import asyncio
import logging
import os
import sqlite3
import time
from abc import ABC, abstractmethod
from pathlib import Path

from django.conf import settings
from django.db import connections

from mcpbridge.auth.restrictions.change_marker import ChangeMarker
from mcpbridge.auth.restrictions.last_known import LastKnownFile, LastKnownWriter, NoUsableCopyError
from mcpbridge.auth.restrictions.store import QUERIES, Restrictions, RestrictionStore, RestrictionsUnknownError
from mcpbridge.observability import metrics
from mcpbridge.workers import Attempts, PeriodicTask

logger = logging.getLogger(__name__)

POLL_S = 1.0
# How long a start waits for the database before it uses the last known restrictions.
START_TIMEOUT_S = 5.0
_LONGEST_PAUSE_S = 2.0


class PollingRestrictionStore(ABC):
    """The part that both databases share: what is known, since when, and the fallback to the copy on disk."""

    def __init__(
        self, last_known: LastKnownFile | None, *, every_s: float, expected: type[Exception] = sqlite3.Error
    ) -> None:
        self._last_known = last_known
        self._restrictions: Restrictions | None = None
        self._is_from_database = False
        self._copied_at = ""
        self._first = asyncio.Event()
        self._attempts = Attempts(
            "restrictions",
            title="Reading the restrictions",
            every_s=every_s,
            again_s=POLL_S,
            longest_pause_s=_LONGEST_PAUSE_S,
            expected=(expected,),
        )
        self._task = PeriodicTask("restrictions", self._look, attempts=self._attempts)
        self._copy_writer = LastKnownWriter(last_known, self._from_database) if last_known is not None else None

    async def start(self) -> None:
        """Start reading the restrictions; use the copy on disk if the database is unavailable."""
        self._task.start()
        try:
            await asyncio.wait_for(self._first.wait(), START_TIMEOUT_S)
        except TimeoutError:
            self._take_last_known()
        if self._copy_writer is not None:
            self._copy_writer.start()

    async def stop(self) -> None:
        await self._task.stop()
        if self._copy_writer is not None:
            await self._copy_writer.stop()

    def now(self) -> Restrictions:
        if self._restrictions is None:
            raise RestrictionsUnknownError
        return self._restrictions

    def fault(self) -> str:
        if self._restrictions is None:
            return "Restrictions are unknown: every MCP request is answered 503 until the database can be read."
        if not self._is_from_database:
            return f"Restrictions are those of the copy on disk, of {self._copied_at}."
        return ""

    @abstractmethod
    async def _look(self) -> None:
        """Read the restrictions, and `_learn` them."""

    def _learn(self, restrictions: Restrictions) -> None:
        """Apply `restrictions`, as read from the database."""
        if not self._is_from_database:
            metrics.restrictions_known.set(1)
            if self._copied_at:
                logger.warning("The restrictions were read from the database.")
        is_new, self._restrictions, self._is_from_database = restrictions != self._restrictions, restrictions, True
        self._first.set()
        if is_new and self._copy_writer is not None:
            self._copy_writer.wake()

    def _from_database(self) -> Restrictions | None:
        return self._restrictions if self._is_from_database else None

    def _take_last_known(self) -> None:
        metrics.restrictions_known.set(0)
        try:
            if self._last_known is None:
                raise NoUsableCopyError("no copy is kept")
            self._restrictions, self._copied_at = self._last_known.read()
        except NoUsableCopyError as error:
            self._copied_at = "never"
            logger.error(
                "The database does not answer and the copy of the restrictions cannot be used: %s. Every MCP request is"
                " answered 503 until the restrictions can be read.",
                error,
            )
        else:
            metrics.restrictions_known.set(1)
            logger.error(
                "The database does not answer: the restrictions are those of the copy on disk, of %s.", self._copied_at
            )


class SqliteRestrictionStore(PollingRestrictionStore):
    """Reads the restrictions when the change marker changes, and every second."""

    def __init__(self, path: str, last_known: LastKnownFile | None = None) -> None:
        super().__init__(last_known, every_s=POLL_S)
        self._path = path
        self._marker = ChangeMarker(path)
        self._seen: bytes | None = None
        self._look_at = 0.0
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._version: int | None = None

    async def stop(self) -> None:
        await super().stop()
        self._close()

    def now(self) -> Restrictions:
        marker = self._marker.now()
        if marker is None or marker != self._seen or time.monotonic() >= self._look_at:
            self._attempts.run(self._read)
        return super().now()

    async def _look(self) -> None:
        self._read()

    def _read(self) -> None:
        # Read before the restrictions: a change in between is found the next time.
        marker = self._marker.now()
        try:
            connection = self._opened()
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if version != self._version:
                self._learn(Restrictions.from_rows(*(connection.execute(question).fetchall() for question in QUERIES)))
                self._version = version
        except Exception:
            self._close()
            raise
        self._seen, self._look_at = marker, time.monotonic() + POLL_S

    def _opened(self) -> sqlite3.Connection:
        """Return a connection to the file at the path, reopened if the file was replaced: SQLite does not notice."""
        found = os.stat(self._path)
        if self._file != (found.st_dev, found.st_ino):
            self._close()
        if self._connection is None:
            # Never created here: an empty file would mean that nothing is blocked.
            address = f"{Path(self._path).absolute().as_uri()}?mode=rw"
            self._connection = sqlite3.connect(address, uri=True, timeout=0, check_same_thread=False)
            self._file = (found.st_dev, found.st_ino)
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._file = self._version = None


def restriction_store() -> RestrictionStore:
    """Build the restriction store for the configured database, with its copy in VAR_DIR."""
    connection = connections["default"]
    folder = Path(settings.VAR_DIR)
    if connection.vendor == "sqlite":
        path = str(connection.settings_dict["NAME"])
        return SqliteRestrictionStore(path, LastKnownFile(folder, database=f"sqlite {Path(path).absolute()}"))
    # Imported late: the driver takes long to load.
    from mcpbridge.auth.restrictions.postgresql import PostgresqlRestrictionStore, connection_parameters

    place = "{HOST}:{PORT}/{NAME}".format_map(connection.settings_dict)
    return PostgresqlRestrictionStore(connection_parameters, LastKnownFile(folder, database=f"postgresql {place}"))
