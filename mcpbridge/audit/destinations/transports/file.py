"""Appends records to a file, one line each, in the folder that the operator gave to sinks.

The file is opened anew for each batch, so that whoever rotates files moves it away by its name at any time.
"""

import errno
import fcntl
import os
import re
from pathlib import Path
from urllib.parse import quote

from django.conf import settings

from mcpbridge.audit.destinations.errors import UndeliveredError
from mcpbridge.core.durable_files import sync_directory

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
NAME_RULE = "Letters, digits, dots, dashes and underscores, at most 100, beginning with a letter or a digit."


def file_path(org_id: str, name: str) -> Path:
    """Where the file `name` of the workspace lies: in a folder of its own, whatever its id is made of."""
    if not NAME.fullmatch(name):
        raise ValueError(NAME_RULE)
    return Path(settings.SINK_FILES_DIR) / f"workspace-{quote(org_id, safe='')}" / name


def file_append(path: Path, lines: bytes) -> None:
    """Return once `lines` are on the disk behind what the file holds. Raises UndeliveredError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_new = not path.exists()
        # Not through a link: somebody who may write there must not choose what we write to.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        file = os.open(path, flags, 0o600)
        try:
            # Two processes of which one takes the other for dead still write one after the other.
            fcntl.flock(file, fcntl.LOCK_EX)
            _write(file, lines, behind=_drop_torn_line(file))
        finally:
            os.close(file)
        if is_new:
            sync_directory(path.parent)
    except OSError as error:
        raise UndeliveredError(f"The file cannot be written: {_why(error)}.") from None


def _write(file: int, lines: bytes, *, behind: int) -> None:
    """Bring `lines` to the disk, or take away what came of them: each try would leave more on a full disk."""
    left = memoryview(lines)
    try:
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, behind)
        raise


def _drop_torn_line(file: int) -> int:
    """Take away what a crash left of a line, which was never confirmed and follows as a whole; where the file ends."""
    end = place = os.fstat(file).st_size
    while place:
        begin = max(0, place - 65_536)
        found = os.pread(file, place - begin, begin).rfind(b"\n")
        if found >= 0:
            place = begin + found + 1
            break
        place = begin
    if place < end:
        os.ftruncate(file, place)
    return place


def _why(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "it is a link"
    if error.errno == errno.ENXIO:
        return "it is no file"
    return error.strerror or type(error).__name__
