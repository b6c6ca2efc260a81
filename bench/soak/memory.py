"""What each worker holds, looked at every few seconds."""

import asyncio
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.soak.fixtures import World

EVERY_S = 5.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Memory:
    """Seconds since the beginning, MB and open files, by worker."""

    seen: dict[int, list[tuple[float, float, int]]] = field(default_factory=dict)

    async def watch(self, world: World, is_over: asyncio.Event) -> None:
        """Look until it is over."""
        began = time.monotonic()
        while not is_over.is_set():
            self._look(world.served.worker_pids(), time.monotonic() - began)
            await asyncio.sleep(EVERY_S)

    def _look(self, pids: list[int], at: float) -> None:
        for pid in pids:
            try:
                pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
                files = len(os.listdir(f"/proc/{pid}/fd"))
            except OSError:
                # It ended between the two looks.
                continue
            self.seen.setdefault(pid, []).append((at, pages * _PAGE_BYTES / 1e6, files))

    def longest(self) -> list[tuple[float, float, int]]:
        """What the worker that lived the longest held."""
        return max(self.seen.values(), key=lambda each: each[-1][0] - each[0][0])

    def most_mb(self) -> float:
        """The most that any worker held."""
        return max(mb for each in self.seen.values() for _, mb, _ in each)


def slope_mb_an_hour(seen: list[tuple[float, float, int]]) -> float:
    """By how much the second half of `seen` grows, by least squares; the first half warms up."""
    half = [(at, mb) for at, mb, _ in seen if at >= (seen[0][0] + seen[-1][0]) / 2]
    if len(half) < 3:
        return float("nan")
    mean_at, mean_mb = sum(at for at, _ in half) / len(half), sum(mb for _, mb in half) / len(half)
    spread = sum((at - mean_at) ** 2 for at, _ in half)
    return 3600 * sum((at - mean_at) * (mb - mean_mb) for at, mb in half) / spread
