"""What the machine says: the CPU time and memory of a process tree, what else was running, and which machine it is."""

import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import distributions
from pathlib import Path

from bench.node import installed_versions
from bench.paths import SITE_PACKAGES

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_SETTLED_S = 0.3
_SETTLE_AT_MOST_S = 15.0
_NAMED = [
    "mcp",
    "fastmcp",
    "django-mcpz",
    "uvicorn",
    "gunicorn",
    "granian",
    "uvloop",
    "httptools",
    "aiohttp",
    "httpx",
    "httpx2",
    "urllib3",
    "pydantic",
]


def _tree(pid: int) -> Iterator[int]:
    yield pid
    # A child, such as a connection's process of a database, may end meanwhile.
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                yield from _tree(int(child))


def cpu_s(pid: int) -> float:
    """User and system time that the process `pid` and its descendants, ended ones too, have used, in seconds."""
    ticks = 0
    for each in _tree(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            # The name in the second field may hold spaces, so the fields are counted from behind it.
            fields = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICKS_PER_S


def settled_cpu_s(pid: int) -> float:
    """`cpu_s` once the tree has come to rest: what it still writes down after the last reply counts too."""
    until = time.monotonic() + _SETTLE_AT_MOST_S
    before = cpu_s(pid)
    while time.monotonic() < until:
        time.sleep(_SETTLED_S)
        now = cpu_s(pid)
        if now - before <= 0.011:
            return now
        before = now
    raise RuntimeError(f"Process {pid} did not come to rest.")


def worker_mb(pid: int) -> float:
    """What the process that answers holds, in MB, by its proportional share (PSS): what it has for itself, and its
    part of what it shares. Under gunicorn that is the worker, and the master, which loads the libraries for its
    workers, comes besides: 55 MB with one worker, 36 with four.
    """
    _, *children = _tree(pid)
    return max(map(_pss_mb, children or [pid]))


def _pss_mb(pid: int) -> float:
    found = re.search(r"^Pss: +(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"), re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def busy_s() -> float:
    """Time that all cores together have been busy since the start, in seconds; steal included."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(field) for field in fields)
    return (user + nice + system + irq + softirq + steal) / _TICKS_PER_S


def description() -> dict[str, object]:
    """The machine and the versions that were measured."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    versions = {each.name.lower(): each.version for each in distributions(path=[str(SITE_PACKAGES)])}
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": model[1] if model else platform.machine(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {name: versions[name] for name in _NAMED if name in versions} | installed_versions(),
    }
