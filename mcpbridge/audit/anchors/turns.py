"""Take turns: work that one process of a node does for all, one at a time."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mcpbridge.audit.anchors.files import AnchorFolder

_LOOK = ".look"
# A process that has not looked for so many periods has ended, or cannot.
_MISSED = 3


@contextmanager
def turn(folder: AnchorFolder, name: str, *, is_due: Callable[[int], bool]) -> Iterator[int | None]:
    """Open and lock the file `name` in the folder if it `is_due`; None if another process is at it. Raises OSError."""
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(folder.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield file if _is_free(file) and is_due(file) else None
    finally:
        os.close(file)


def is_mine_to_look(folder: AnchorFolder, *, every_s: float) -> bool:
    """Return whether this process verifies new rows for the node now, which it says in the folder.

    It is the one that did last, until it has missed three looks. Raises OSError.
    """
    me = str(os.getpid()).encode()

    def is_due(file: int) -> bool:
        return os.pread(file, 32, 0) == me or age_s(file) >= _MISSED * every_s

    with turn(folder, _LOOK, is_due=is_due) as file:
        if file is None:
            return False
        os.ftruncate(file, 0)
        os.pwrite(file, me, 0)
        return True


def age_s(file: int) -> float:
    """Return how long ago the file was written, in seconds; infinite if it never was."""
    found = os.fstat(file)
    return abs(time.time() - found.st_mtime) if found.st_size else float("inf")


def _is_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
