"""Make the names of files durable."""

import os
from pathlib import Path


def sync_directory(folder: Path) -> None:
    """Return once the names of the files in `folder` are on the disk; their content is for its writer to sync.

    Raises OSError.
    """
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
