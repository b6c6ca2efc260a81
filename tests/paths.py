"""Where things lie."""

import atexit
import fcntl
import functools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.tiers import processes_forbidden

ROOT = Path(__file__).resolve().parent.parent
_SHARED = "CONSOLE_TESTS_SHARED"


@functools.cache
def run_folder() -> Path:
    """Return the folder that all processes of this test run share; the process that asks first removes it at its end.

    What lies there is made once and then only read.
    """
    if _SHARED not in os.environ:
        os.environ[_SHARED] = tempfile.mkdtemp(prefix="console-tests-")
        atexit.register(_remove, os.environ[_SHARED], os.getpid())
    return Path(os.environ[_SHARED])


def _remove(folder: str, owner: int) -> None:
    # A fork inherits what is to be done at the end.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder `name` of this test run, which `make` fills in the first process that asks for it."""
    folder = run_folder() / name
    with (run_folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            partial = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=run_folder()))
            with processes_forbidden(False):
                make(partial)
            partial.rename(folder)
    return folder
