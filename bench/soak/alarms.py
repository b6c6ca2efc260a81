"""What monitoring sees meanwhile: no log may ever be said to disagree with its anchor, since nothing changes one."""

import asyncio
import re
from collections import Counter
from dataclasses import dataclass, field

import httpx

from bench.soak.fixtures import World

EVERY_S = 5.0
_FAULTS = re.compile(r"^hoursmith_audit_anchor_fault(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


@dataclass
class Alarms:
    """How many scrapes there were, how many failed, by reason, and in how many a finding stood."""

    scrapes: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    findings: int = 0

    async def watch(self, world: World, is_over: asyncio.Event) -> None:
        """Look until it is over."""
        while not is_over.is_set():
            await asyncio.to_thread(self._look, f"{world.served.url}/metrics")
            await asyncio.sleep(EVERY_S)

    def _look(self, url: str) -> None:
        self.scrapes += 1
        try:
            text = httpx.get(url, timeout=10).raise_for_status().text
        except httpx.HTTPError as error:
            self.failed[type(error).__name__] += 1
            return
        self.findings += any(float(value) for value in _FAULTS.findall(text))
