"""Calls at half of the measured peak, a fault every twenty seconds, and at the end a look at what is left.

.venv/bin/python -m bench.soak --minutes 30 [--postgresql]
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import uvloop

from bench.callers import Caller, make_callers
from bench.machine import description
from bench.paths import RESULTS
from bench.soak import findings as look
from bench.soak.alarms import Alarms
from bench.soak.assistants import Assistants
from bench.soak.callers import Told, Voice
from bench.soak.faults import FAULTS, Fault
from bench.soak.fixtures import World, world
from bench.soak.memory import Memory, slope_mb_an_hour

# A fault after the other every so many seconds, unless told otherwise.
EVERY_S = 20.0
CALLERS = 32
# Of the callers, those that signed in; and others that lose their access, one at a time.
SIGNED_IN = 16
LEAVERS = 10
CROWD = 16
DELETES_OF_TEN = 2
SETTLED_S = 10.0


class Soak:
    """One run."""

    def __init__(self, running: World, callers: list[Caller], assistants: Assistants, *, every_s: float) -> None:
        self._world = running
        self._callers = callers
        self._assistants = assistants
        self._every_s = every_s
        self.alarms = Alarms()
        self.told = Told()
        self.memory = Memory()
        self.happened: Counter[str] = Counter()
        self._fault = self._last_fault = ""
        self._last_fault_until = float("-inf")

    def _fault_since(self, since: float) -> str:
        return self._fault or (self._last_fault if since < self._last_fault_until else "")

    def _voices(self, callers: list[Caller], told: Told, deletes_of_ten: int) -> list[Voice]:
        port, held = self._world.served.port, {each.caller: each for each in self._assistants.staying}

        def bearer(caller: Caller) -> str:
            return held[caller].access if caller in held else caller.token

        return [
            Voice(each, partial(bearer, each), port, told, self._fault_since, deletes_of_ten=deletes_of_ten)
            for each in callers
        ]

    async def peak(self, seconds: float) -> float:
        """Calls a second where nobody pauses and nothing fails. What was deleted counts as the rest does."""
        before, is_over = self.told.calls, asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for voice in self._voices(self._callers, self.told, DELETES_OF_TEN):
                group.create_task(voice.speak(is_over, every_s=0))
            began = time.monotonic()
            await asyncio.sleep(seconds)
            is_over.set()
        calls = (self.told.calls - before) / (time.monotonic() - began)
        self.told.took_s.clear()
        return calls

    async def run(self, *, seconds: float, per_second: float) -> None:
        """Call for that long, at that pace, while one thing after the other fails."""
        is_over, every_s = asyncio.Event(), CALLERS / per_second
        self._world.crowd, self._world.end_grant = self._crowd, self._assistants.end_one
        self._assistants.fault = lambda: self._fault
        async with asyncio.TaskGroup() as group:
            for place, voice in enumerate(self._voices(self._callers, self.told, DELETES_OF_TEN)):
                group.create_task(voice.speak(is_over, every_s=every_s, first_in_s=every_s * place / CALLERS))
            group.create_task(self.memory.watch(self._world, is_over))
            group.create_task(self.alarms.watch(self._world, is_over))
            group.create_task(self._assistants.keep_renewing(is_over))
            await self._fail(seconds)
            is_over.set()
        # What a killed worker left is counted within a few seconds.
        await asyncio.sleep(SETTLED_S)

    async def _fail(self, seconds: float) -> None:
        began = time.monotonic()
        pending: list[Fault] = []
        due = began + self._every_s / 2
        while due < began + seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            pending = pending or random.sample(FAULTS, len(FAULTS))
            fault = pending.pop()
            share = (time.monotonic() - began) / seconds
            if fault.is_restart and 0.1 < share < 0.9:
                # In between the workers live on, so that it shows whether they grow.
                continue
            self._fault = fault.name
            print(f"  {time.monotonic() - began:7.1f} s  {fault.name}", flush=True)
            await fault.happen(self._world)
            self.happened[fault.name] += 1
            # What began in the fault may still wait for it.
            await asyncio.sleep(2)
            self._fault, self._last_fault, self._last_fault_until = "", fault.name, time.monotonic()
            # Not at once after one that took long, or its effects would be taken for the next one's.
            due = max(due + self._every_s, time.monotonic() + 2)
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))

    @asynccontextmanager
    async def _crowd(self) -> AsyncIterator[None]:
        is_over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for voice in self._voices(self._callers[:CROWD], self.told, 0):
                group.create_task(voice.speak(is_over, every_s=0))
            yield
            is_over.set()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (30)")
    parser.add_argument("--per-second", type=float, help="calls a second, instead of half of the measured peak")
    parser.add_argument("--every", type=float, default=EVERY_S, help="seconds from one fault to the next (20)")
    parser.add_argument("--postgresql", action="store_true", help="PostgreSQL instead of SQLite")
    return parser.parse_args()


async def _soak(
    running: World, callers: list[Caller], assistants: Assistants, arguments: argparse.Namespace
) -> tuple[Soak, float, float]:
    soak = Soak(running, callers, assistants, every_s=arguments.every)
    peak = await soak.peak(10.0)
    pace = arguments.per_second or peak / 2
    print(f"At the peak {peak:,.0f} calls/s; soaking at {pace:,.0f} for {arguments.minutes:g} minutes.", flush=True)
    await soak.run(seconds=60 * arguments.minutes, per_second=pace)
    return soak, peak, pace


def _quantiles(took: list[float]) -> str:
    took.sort()
    return " / ".join(f"{1000 * took[min(len(took) - 1, len(took) * each // 100)]:,.1f}" for each in (50, 95, 99))


def _figures(found: look.Findings, soak: Soak, peak: float, pace: float) -> None:
    told, longest = soak.told, soak.memory.longest()
    endings: Counter[str] = Counter()
    for (_, _, ending), count in told.endings.items():
        endings[ending] += count
    found.figures |= {
        "calls": told.calls,
        "peak and pace, calls/s": f"{peak:,.0f}, {pace:,.0f}",
        "turns skipped because the previous call had not ended": told.skipped,
        "faults": dict(soak.happened),
        "how calls ended": dict(endings.most_common()),
        "ms outside of faults, p50 / p95 / p99": _quantiles(told.took_s),
        "ms in faults, p50 / p95 / p99": _quantiles(told.took_in_faults_s),
        "longest-running worker: minutes": round((longest[-1].at - longest[0].at) / 60, 1),
        "longest-running worker: MB of its own at the start, in the middle, at the end": [
            round(longest[place].own_mb) for place in (0, len(longest) // 2, -1)
        ],
        "longest-running worker: MB of mapped files, likewise": [
            round(longest[place].mapped_mb) for place in (0, len(longest) // 2, -1)
        ],
        "longest-running worker: growth of its own in its second half, MB/hour": round(slope_mb_an_hour(longest), 1),
        "longest-running worker: open files, most and at the end": [
            max(each.files for each in longest),
            longest[-1].files,
        ],
        "peak memory of a worker, MB": round(soak.memory.most_mb()),
    }


def main() -> int:
    """Run it, print what was found and keep it in var/bench/; 1 where something is wrong."""
    arguments, machine, callers = _arguments(), description(), make_callers(CALLERS)
    RESULTS.mkdir(parents=True, exist_ok=True)
    found = look.Findings()
    with (
        tempfile.TemporaryDirectory(dir=RESULTS, prefix="soak-") as folder,
        world(Path(folder), postgresql=arguments.postgresql) as running,
    ):
        assistants = Assistants.sign_in(running, callers[:SIGNED_IN], leavers=LEAVERS)
        soak, peak, pace = uvloop.run(_soak(running, callers, assistants, arguments))
        found.expect(running.served.stop() == 0, f"The end was not clean: {running.served.output()[-2000:]}")
        _figures(found, soak, peak, pace)
        look.look_at_answers(found, soak.told)
        destroyed = running.upstream.destroyed(Path(folder) / "destroyed.txt")
        look.look_at_the_record(found, running, soak.told, destroyed)
        look.look_at_the_chain(found, running)
        look.look_at_the_anchors(found, running, soak.alarms)
        look.look_at_the_grants(found, running, assistants)
        look.look_at_the_activity(found, running, soak.told)
        held = [text for each in assistants.everybody for text in each.held]
        look.look_for_tokens(found, running, [*callers, *(each.caller for each in assistants.leavers)], held)
        if found.wrong:
            shutil.copy(running.served.var / "server.log", RESULTS / f"soak-{os.getpid()}.log")
    for name, value in found.figures.items():
        print(f"{name}: {value}")
    for each in found.wrong:
        print(f"WRONG: {each}")
    path = RESULTS / f"soak-{time.strftime('%Y%m%d-%H%M%S')}.json"
    kept = {
        "machine": machine,
        "arguments": vars(arguments),
        "figures": found.figures,
        "wrong": found.wrong,
        "endings": [[*each, count] for each, count in sorted(soak.told.endings.items())],
        "memory": soak.memory.longest(),
    }
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{'Nothing is wrong' if not found.wrong else 'Something is wrong'}. Kept: {path}")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
