"""Append records to a file, one line each, in the folder LOG_DESTINATION_FILES_DIR.

The file is opened again for each batch, so that log rotation may rename it at any time.
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
NAME_RULE = "Use at most 100 letters, digits, dots, dashes and underscores, beginning with a letter or digit."


def file_path(org_id: str, name: str) -> Path:
    """Return the path of the file `name` in the folder of the workspace. Raises ValueError for an invalid name."""
    if not NAME.fullmatch(name):
        raise ValueError(NAME_RULE)
    return Path(settings.LOG_DESTINATION_FILES_DIR) / f"workspace-{quote(org_id, safe='')}" / name


def append_to_file(path: Path, lines: bytes) -> None:
    """Append `lines` to the file and return once they are on disk. Raises UndeliveredError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_new = not path.exists()
        # O_NOFOLLOW: someone who can write to the folder must not redirect our writes.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        file = os.open(path, flags, 0o600)
        try:
            # A process whose lease has expired may still be writing.
            fcntl.flock(file, fcntl.LOCK_EX)
            _write(file, lines, end=_truncate_incomplete_line(file))
        finally:
            os.close(file)
        if is_new:
            sync_directory(path.parent)
    except OSError as error:
        raise UndeliveredError(f"The file cannot be written: {_why(error)}.") from None


def _write(file: int, lines: bytes, *, end: int) -> None:
    """Write `lines` and flush them, or truncate the file back: retries must not fill a full disk further."""
    left = memoryview(lines)
    try:
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, end)
        raise


def _truncate_incomplete_line(file: int) -> int:
    """Truncate an incomplete last line that a crash left, which is sent again; return the size of the file."""
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
        return "it is a symbolic link"
    if error.errno == errno.ENXIO:
        return "it is not a regular file"
    return error.strerror or type(error).__name__
