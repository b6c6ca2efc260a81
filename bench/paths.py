"""Where things are: the repository, the bench's own environment, and the cores that its processes run on."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / "bench" / ".venv"
PYTHON = VENV / "bin" / "python"
SITE_PACKAGES = VENV / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
RESULTS = ROOT / "var" / "bench"


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where. A contender has one core for itself, so that calls a second are calls a second and core."""

    contender: set[int]
    load: set[int]
    upstream: set[int]


def cores(*, pinned: bool) -> Cores:
    """A core for the contender and the rest for everybody else; all of them for all where that cannot be."""
    usable = sorted(os.sched_getaffinity(0))
    if not pinned or len(usable) < 2:
        return Cores(set(usable), set(usable), set(usable))
    return Cores({usable[-1]}, {usable[0]}, {usable[1] if len(usable) > 2 else usable[0]})


@contextmanager
def running_on(wanted: set[int]) -> Iterator[None]:
    """Processes started meanwhile run on the cores `wanted`."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, wanted)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
