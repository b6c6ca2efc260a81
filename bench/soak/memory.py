"""What each worker holds, looked at every few seconds."""

import asyncio
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bench.soak.fixtures import World

EVERY_S = 5.0
_RESIDENT = re.compile(r"^Rss(Anon|File|Shmem):\s+(\d+) kB$", re.MULTILINE)


class Look(NamedTuple):
    """Seconds since the beginning, MB of its own, MB of files that it maps, such as SQLite's, and open files."""

    at: float
    own_mb: float
    mapped_mb: float
    files: int


@dataclass
class Memory:
    """What was seen of each worker."""

    seen: dict[int, list[Look]] = field(default_factory=dict)

    async def watch(self, world: World, is_over: asyncio.Event) -> None:
        """Look until it is over."""
        began = time.monotonic()
        while not is_over.is_set():
            self._look(world.served.worker_pids(), time.monotonic() - began)
            await asyncio.sleep(EVERY_S)

    def _look(self, pids: list[int], at: float) -> None:
        for pid in pids:
            try:
                status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
                files = len(os.listdir(f"/proc/{pid}/fd"))
            except OSError:
                # It ended between the two looks.
                continue
            mb = {kind: int(kb) * 1024 / 1e6 for kind, kb in _RESIDENT.findall(status)}
            if mb:
                self.seen.setdefault(pid, []).append(Look(at, mb["Anon"], mb["File"] + mb["Shmem"], files))

    def longest(self) -> list[Look]:
        """What the worker that lived the longest held."""
        return max(self.seen.values(), key=lambda each: each[-1].at - each[0].at)

    def most_mb(self) -> float:
        """The most that any worker held, mapped files included."""
        return max(look.own_mb + look.mapped_mb for each in self.seen.values() for look in each)


def slope_mb_an_hour(seen: list[Look]) -> float:
    """By how much the second half of `seen` grows without mapped files, by least squares; the first half warms up."""
    half = [(each.at, each.own_mb) for each in seen if each.at >= (seen[0].at + seen[-1].at) / 2]
    if len(half) < 3:
        return float("nan")
    mean_at, mean_mb = sum(at for at, _ in half) / len(half), sum(mb for _, mb in half) / len(half)
    spread = sum((at - mean_at) ** 2 for at, _ in half)
    return 3600 * sum((at - mean_at) * (mb - mean_mb) for at, mb in half) / spread
