"""How many calls of each workspace a process has not written down yet, kept where it outlives the process.

Each recorder counts in a small mapped file, which it holds locked as long as it lives. A file that nobody holds is what
a killed process left: the next recorder of the machine that looks writes the difference down as lost.
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
# Calls that ended, and when the last one began, by the event loop; calls settled, by the recorder's thread.
_ENDED = struct.Struct("<Qd")
_SETTLED = struct.Struct("<Q")
_ENDED_AT, _SETTLED_AT = _ORG.size, _ORG.size + _ENDED.size
_SLOT_BYTES = _SETTLED_AT + _SETTLED.size
# Workspaces that one process counts apart; further ones share the last place, which names nobody.
_SLOTS = 512


class Left(NamedTuple):
    """Calls of one workspace that a process took with it, and when the last call of all began."""

    org_id: str
    calls: int
    at: datetime


class Unwritten:
    """The count of this process, in a file of its own in `folder`; in memory alone where there is none."""

    def __init__(self, folder: Path | None) -> None:
        self._path: Path | None = None
        self._file: int | None = None
        self._places: dict[str, int] = {}
        self._ended: list[int] = []
        self._settled: list[int] = []
        self._map = mmap.mmap(-1, _SLOTS * _SLOT_BYTES)
        if folder is not None:
            try:
                self._map = self._mapped(folder)
            except OSError as error:
                logger.warning("Were this process killed, nobody could count what it lost: %s", error.strerror)

    def _mapped(self, folder: Path) -> mmap.mmap:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{os.getpid()}-{os.urandom(4).hex()}.new"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            # All of it at once: where a full disk has no room for a page, writing to it would end the process.
            with os.fdopen(file, "wb", closefd=False) as writing:
                writing.write(bytes(_SLOTS * _SLOT_BYTES))
            mapped = mmap.mmap(file, _SLOTS * _SLOT_BYTES)
        except OSError:
            os.close(file)
            path.unlink(missing_ok=True)
            raise
        # By this name only now that it is locked, so that nobody takes it for one that was left.
        self._path, self._file = path.rename(path.with_suffix(".calls")), file
        return mapped

    def ended(self, org_id: str, at: datetime) -> None:
        """Count one more call that is to be written; on the event loop, and before anything is done with it."""
        place = self._places.get(org_id)
        if place is None:
            place = self._new_place(org_id)
        self._ended[place] += 1
        _ENDED.pack_into(self._map, place * _SLOT_BYTES + _ENDED_AT, self._ended[place], at.timestamp())

    def settled(self, calls: Mapping[str, int]) -> None:
        """Count `calls`, by workspace, as written, or as written down as lost; on the recorder's thread."""
        for org_id, count in calls.items():
            # Losses of another process are none of these.
            if (place := self._places.get(org_id)) is not None:
                self._settled[place] += count
                _SETTLED.pack_into(self._map, place * _SLOT_BYTES + _SETTLED_AT, self._settled[place])

    def _new_place(self, org_id: str) -> int:
        place = min(len(self._ended), _SLOTS - 1)
        if place == len(self._ended):
            self._ended.append(0)
            self._settled.append(0)
            name = org_id.encode() if place < _SLOTS - 1 else b""
            _ORG.pack_into(self._map, place * _SLOT_BYTES, name[: _ORG.size])
        self._places[org_id] = place
        return place

    def close(self) -> None:
        """Let go of the file; it stays where not everything was settled, for the next one to count."""
        if self._file is None or self._path is None:
            return
        if self._ended == self._settled:
            self._path.unlink(missing_ok=True)
        # The mapping holds the file, and with it the lock, by itself; who counts on does so in memory.
        shared, self._map = self._map, mmap.mmap(-1, _SLOTS * _SLOT_BYTES)
        shared.close()
        os.close(self._file)
        self._file = None


@contextmanager
def left_behind(folder: Path) -> Iterator[list[Left]]:
    """What processes that are gone left in `folder`; forgotten when the block ends, but for an error."""
    with contextlib.ExitStack() as held:
        paths = [path for path in sorted(folder.glob("*.calls")) if _is_left(path, held)]
        yield [left for path in paths for left in _read(path)]
        for path in paths:
            path.unlink(missing_ok=True)


def _is_left(path: Path, held: contextlib.ExitStack) -> bool:
    """Whether nobody holds the file at `path`; from now on we do."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        return False
    held.callback(os.close, file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # Somebody else may have counted and removed it between the two.
    return path.exists()


def _read(path: Path) -> Iterator[Left]:
    content = path.read_bytes()
    for start in range(0, len(content) - _SLOT_BYTES + 1, _SLOT_BYTES):
        (name,) = _ORG.unpack_from(content, start)
        ended, at = _ENDED.unpack_from(content, start + _ENDED_AT)
        (settled,) = _SETTLED.unpack_from(content, start + _SETTLED_AT)
        if ended > settled:
            yield Left(name.rstrip(b"\0").decode(errors="ignore"), ended - settled, datetime.fromtimestamp(at, UTC))
