"""Small disks of a test's own, which it may fill to the last byte."""

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """A mounted file system of a few megabytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Leave not a byte free."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (64 * 1024, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        ballast.write(b"x" * size)
        assert os.statvfs(self.path).f_bfree == 0, errno.errorcode[errno.ENOSPC]

    def remount(self, how: str) -> None:
        """Make it read-only (`ro`) or not (`rw`), while no file on it is open for writing."""
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.path)], check=True)

    def empty(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, *, megabytes: int, owner: str | None = None) -> Iterator[SmallDisk]:
    """A disk at `folder`; skips where this user may not mount one, but for CI."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        reason = f"A small disk cannot be mounted by this user: {done.stderr.strip()}"
        # In CI, where it can, a skipped test would hide a hole.
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    if owner:
        shutil.chown(folder, owner)
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily, because a server that is about to end may still have a file open there.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
