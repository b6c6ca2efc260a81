"""Notify every process of a machine of a change, through bytes in a memory-mapped file."""

import logging
import mmap
import os

logger = logging.getLogger(__name__)


class ChangeMarker:
    """Eight bytes in a file beside the database that change whenever a restriction changes.

    Reading them costs nothing, since they are mapped into memory; a query to SQLite takes four system calls.
    """

    SIZE = 8

    def __init__(self, database: str) -> None:
        self._path = f"{database}.restrictions"
        self._mapped: mmap.mmap | None = None

    def change(self) -> None:
        """Mark the restrictions as changed. If that fails, every process still reloads them within a second."""
        try:
            file = self._open()
            try:
                os.pwrite(file, os.urandom(self.SIZE), 0)
            finally:
                os.close(file)
        except OSError as error:
            logger.warning("Other workers apply the change up to a second later: %s", error)

    def now(self) -> bytes | None:
        """Return the current bytes; None if the file cannot be mapped."""
        try:
            if self._mapped is None:
                file = self._open()
                try:
                    self._mapped = mmap.mmap(file, self.SIZE, access=mmap.ACCESS_READ)
                finally:
                    os.close(file)
        except (OSError, ValueError):
            return None
        return self._mapped[: self.SIZE]

    def _open(self) -> int:
        """Open the file, creating it if necessary.

        It is never truncated: another process that has it mapped would be killed by SIGBUS.
        """
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(file).st_size < self.SIZE:
                os.ftruncate(file, self.SIZE)
        except OSError:
            os.close(file)
            raise
        return file
