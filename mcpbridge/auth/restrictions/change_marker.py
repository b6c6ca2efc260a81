"""Tells every process of a machine that something changed, at the price of a look into mapped memory."""

import logging
import mmap
import os

logger = logging.getLogger(__name__)


class ChangeMarker:
    """Eight bytes in a file beside the database that change whenever a restriction does, for every process to see.

    To look at them costs nothing, since they are mapped into memory; to ask SQLite takes four system calls.
    """

    SIZE = 8

    def __init__(self, database: str) -> None:
        self._path = f"{database}.restrictions"
        self._mapped: mmap.mmap | None = None

    def change(self) -> None:
        """Say that the restrictions are others now. Every process looks by itself after a second where it cannot."""
        try:
            file = self._open()
            try:
                os.pwrite(file, os.urandom(self.SIZE), 0)
            finally:
                os.close(file)
        except OSError as error:
            logger.warning("The other workers hear of a change a second later: %s", error)

    def now(self) -> bytes | None:
        """What stands there now; None where nothing can be mapped."""
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
        """Open the file, made where it is missing. It only ever grows: another process may have it mapped already,
        and would be killed by SIGBUS if what it looks at were cut off.
        """
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(file).st_size < self.SIZE:
                os.ftruncate(file, self.SIZE)
        except OSError:
            os.close(file)
            raise
        return file
