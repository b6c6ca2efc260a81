"""Count, for each workspace, the calls whose activity row is still in memory; the count survives a killed process.

Each recorder counts in a small memory-mapped file that it keeps locked while it runs. An unlocked file was left by a
killed process: the next recorder of the machine that finds it records the difference as an ActivityLoss.
"""

import contextlib
import fcntl
import logging
import mmap
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

logger = logging.getLogger(__name__)

_ORG = struct.Struct("<96s")
# Written by the event loop: calls that ended, and when the last one began. By the recorder's thread: calls settled.
_ENDED = struct.Struct("<Qd")
_SETTLED = struct.Struct("<Q")
_ENDED_AT, _SETTLED_AT = _ORG.size, _ORG.size + _ENDED.size
_SLOT_BYTES = _SETTLED_AT + _SETTLED.size
# Workspaces that one process counts separately; the rest share the last slot, which has no name.
_SLOTS = 512


class OrphanedCount(NamedTuple):
    """Calls of one workspace that a killed process had not written; `at` is when the last of its calls began."""

    org_id: str
    calls: int
    at: datetime


class PendingCallCounter:
    """Count the calls of this process in its own file in `folder`, or only in memory where there is no folder."""

    def __init__(self, folder: Path | None) -> None:
        self._path: Path | None = None
        self._file: int | None = None
        self._slots: dict[str, int] = {}
        self._ended: list[int] = []
        self._settled: list[int] = []
        self._map = mmap.mmap(-1, _SLOTS * _SLOT_BYTES)
        if folder is not None:
            try:
                self._map = self._mapped(folder)
            except OSError as error:
                logger.warning("If this process is killed, the calls it loses cannot be counted: %s", error.strerror)

    def _mapped(self, folder: Path) -> mmap.mmap:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{os.getpid()}-{os.urandom(4).hex()}.new"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            # Written whole: touching a mapped page that a full disk has no room for would kill the process.
            with os.fdopen(file, "wb", closefd=False) as writing:
                writing.write(bytes(_SLOTS * _SLOT_BYTES))
            mapped = mmap.mmap(file, _SLOTS * _SLOT_BYTES)
        except OSError:
            os.close(file)
            path.unlink(missing_ok=True)
            raise
        # Renamed only after it is locked, so that no other process takes it for an orphaned file.
        self._path, self._file = path.rename(path.with_suffix(".calls")), file
        return mapped

    def ended(self, org_id: str, at: datetime) -> None:
        """Count one more call to be written. Call it on the event loop, before the call is queued."""
        slot = self._slots.get(org_id)
        if slot is None:
            slot = self._new_slot(org_id)
        self._ended[slot] += 1
        _ENDED.pack_into(self._map, slot * _SLOT_BYTES + _ENDED_AT, self._ended[slot], at.timestamp())

    def settled(self, calls: Mapping[str, int]) -> None:
        """Count `calls`, by workspace, as written or recorded as lost. Call it on the recorder's thread."""
        for org_id, count in calls.items():
            # Losses of another process have no slot here.
            if (slot := self._slots.get(org_id)) is not None:
                self._settled[slot] += count
                _SETTLED.pack_into(self._map, slot * _SLOT_BYTES + _SETTLED_AT, self._settled[slot])

    def _new_slot(self, org_id: str) -> int:
        slot = min(len(self._ended), _SLOTS - 1)
        if slot == len(self._ended):
            self._ended.append(0)
            self._settled.append(0)
            name = org_id.encode() if slot < _SLOTS - 1 else b""
            _ORG.pack_into(self._map, slot * _SLOT_BYTES, name[: _ORG.size])
        self._slots[org_id] = slot
        return slot

    def close(self) -> None:
        """Release the file, and delete it if every call is settled; otherwise the next recorder counts it."""
        if self._file is None or self._path is None:
            return
        if self._ended == self._settled:
            self._path.unlink(missing_ok=True)
        # The mapping keeps the file open, and with it the lock; later calls are counted in memory.
        shared, self._map = self._map, mmap.mmap(-1, _SLOTS * _SLOT_BYTES)
        shared.close()
        os.close(self._file)
        self._file = None


@contextmanager
def orphaned_counts(folder: Path) -> Iterator[list[OrphanedCount]]:
    """Yield what killed processes left in `folder`; delete their files when the block ends without an error."""
    with contextlib.ExitStack() as held:
        paths = [path for path in sorted(folder.glob("*.calls")) if _try_lock(path, held)]
        yield [count for path in paths for count in _read(path)]
        for path in paths:
            path.unlink(missing_ok=True)


def _try_lock(path: Path, held: contextlib.ExitStack) -> bool:
    """Lock the file at `path`, whose process has ended; False where that still runs or the file is gone."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return False
    held.callback(os.close, file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # Another recorder may have counted and deleted it between the two calls.
    return path.exists()


def _read(path: Path) -> Iterator[OrphanedCount]:
    content = path.read_bytes()
    for start in range(0, len(content) - _SLOT_BYTES + 1, _SLOT_BYTES):
        (name,) = _ORG.unpack_from(content, start)
        ended, at = _ENDED.unpack_from(content, start + _ENDED_AT)
        (settled,) = _SETTLED.unpack_from(content, start + _SETTLED_AT)
        if ended > settled:
            yield OrphanedCount(
                name.rstrip(b"\0").decode(errors="ignore"), ended - settled, datetime.fromtimestamp(at, UTC)
            )
