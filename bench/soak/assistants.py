"""Assistants that signed in: they hold envelopes instead of a token, renew them, and some lose their access."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from bench.callers import Caller, make_callers
from bench.soak.fixtures import World
from bench.soak.upstream import ORG
from tests.faults.mcp import call_tool
from tests.mcpbridge.grants.on_served import ask, code_for, redeem, renew

# Longer than a replaced envelope stays good, so that each renewal brings a new generation.
RENEW_EVERY_S = 130.0
_AGAIN_S = 2.0
# The restrictions reach every worker within a second, or a few on a busy machine.
_KNOWN_WITHIN_S = 10.0
_CALLS_AFTER = 8


@dataclass
class Assistant:
    """One that signed in with the token of `caller`. `held` are all envelopes that it ever had."""

    caller: Caller
    access: str
    refresh: str
    held: list[str]

    @classmethod
    def sign_in(cls, world: World, caller: Caller) -> "Assistant":
        _, code = code_for(world.served, caller.token, ORG)
        answer = redeem(world.served, code)
        assert answer.status_code == 200, answer.text
        assistant = cls(caller, "", "", [code])
        assistant.take(answer)
        return assistant

    def take(self, answer: httpx.Response) -> None:
        """Continue with the envelopes of an answer."""
        issued = answer.json()
        self.access, self.refresh = issued["access_token"], issued["refresh_token"]
        self.held += [self.access, self.refresh]


@dataclass
class Assistants:
    """Those that stay, and `leavers`, of which one loses its access at a time."""

    world: World
    staying: list[Assistant]
    leavers: list[Assistant]
    fault: Callable[[], str] = str
    # By the fault that was going on and how it ended.
    renewals: Counter[tuple[str, str]] = field(default_factory=Counter)
    ended: int = 0
    wrong: list[str] = field(default_factory=list)

    @classmethod
    def sign_in(cls, world: World, callers: list[Caller], *, leavers: int) -> "Assistants":
        """Sign in for each of `callers`, and for so many that will lose their access."""
        staying = [Assistant.sign_in(world, caller) for caller in callers]
        leaving = [Assistant.sign_in(world, caller) for caller in make_callers(leavers)]
        world.served.dismiss_manager()
        return cls(world, staying, leaving)

    @property
    def everybody(self) -> list[Assistant]:
        return [*self.staying, *self.leavers]

    async def keep_renewing(self, is_over: asyncio.Event) -> None:
        """Renew one after the other until it is over, each every `RENEW_EVERY_S`."""
        pause_s = RENEW_EVERY_S / len(self.staying)
        for assistant in itertools.cycle(self.staying):
            await _pause(is_over, pause_s)
            if is_over.is_set():
                return
            await self._renew(assistant, is_over)

    async def _renew(self, assistant: Assistant, is_over: asyncio.Event) -> None:
        """Ask until there is an answer: one that got lost has made the envelope an old one, which is good meanwhile."""
        while not is_over.is_set():
            before = self.fault()
            try:
                answer = await asyncio.to_thread(renew, self.world.served, assistant.refresh)
            except httpx.HTTPError as error:
                self.renewals[self.fault() or before, type(error).__name__] += 1
            else:
                self.renewals[before or self.fault(), f"HTTP {answer.status_code}"] += 1
                if answer.status_code == 200:
                    assistant.take(answer)
                    return
                if answer.status_code != 503:
                    self.wrong.append(f"A renewal was answered {answer.status_code}: {answer.text[:200]}")
                    return
            await _pause(is_over, _AGAIN_S)

    async def end_one(self) -> None:
        """End the next leaver's grant; each worker must refuse what it holds."""
        if self.ended < len(self.leavers):
            leaver, self.ended = self.leavers[self.ended], self.ended + 1
            await asyncio.to_thread(self._end, leaver)

    def _end(self, leaver: Assistant) -> None:
        served, until = self.world.served, time.monotonic() + _KNOWN_WITHIN_S
        answer = ask(served, "/revoke", token=leaver.refresh)
        if answer.status_code != 200:
            self.wrong.append(f"An end of a grant was answered {answer.status_code}: {answer.text[:200]}")
            return
        time.sleep(max(0.0, until - time.monotonic()))
        # Each on a connection of its own, so that every worker is asked.
        found = Counter(call_tool(served, leaver.access, "get_me").status for _ in range(_CALLS_AFTER))
        if set(found) != {401}:
            self.wrong.append(f"An assistant whose grant ended was answered {dict(found)}.")
        if renew(served, leaver.refresh).status_code != 400:
            self.wrong.append("An ended grant was renewed.")


async def _pause(is_over: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await is_over.wait()
    except TimeoutError:
        return
