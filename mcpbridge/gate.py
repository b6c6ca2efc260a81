"""What stops a request at the door although its credential is well formed: too many bad tries."""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

WINDOW_S = 60.0
# Hoursmith allows 10 bad tokens in 60 s from one address, which here is the bridge's. We stay below it.
BAD_TOKENS_UPSTREAM = 8
BAD_TOKENS_PER_ADDRESS = 4
BAD_TOKENS_PER_PREFIX = 2
_ALL = "everybody"


class TooManyAttemptsError(Exception):
    """Too many unknown tokens were tried; none is passed on for `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class AttemptLimit:
    """Keeps bad tokens from spending the budget that Hoursmith gives the bridge's address.

    Counts what Hoursmith refused over the last 60 s, per address, per public prefix and in all. `workers` share
    the budget evenly, since each process counts for itself.
    """

    def __init__(self, *, workers: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._in_all = max(1, BAD_TOKENS_UPSTREAM // max(1, workers))
        self._per_address = min(BAD_TOKENS_PER_ADDRESS, self._in_all)
        self._clock = clock
        self._tries: dict[str, deque[float]] = {}
        self._asking: dict[str, asyncio.Semaphore] = {}

    @contextlib.asynccontextmanager
    async def attempt(
        self, address: str, prefix: str, *, was_seen: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[None]:
        """Let one token that is not known yet be asked about; raises TooManyAttemptsError where that is too much.

        At most as many questions as one address may waste are under way for it at once, so that a burst cannot
        outrun the count. Where the limit is reached, a token of which `was_seen` says that Hoursmith once
        accepted its prefix still gets through: strangers must not lock out the people who work here.
        """
        asking = self._asking.setdefault(address, asyncio.Semaphore(self._per_address))
        async with asking:
            wait = max(self._wait(address, self._per_address), self._wait(_ALL, self._in_all))
            if wait and (self._wait(prefix, BAD_TOKENS_PER_PREFIX) or not await was_seen()):
                raise TooManyAttemptsError(wait)
            yield

    def count(self, address: str, prefix: str) -> None:
        """Note that Hoursmith refused a token with `prefix` from `address`."""
        now = self._clock()
        for key in (_ALL, address, prefix):
            self._tries.setdefault(key, deque()).append(now)
        for key in [key for key, tries in self._tries.items() if not self._recent(tries)]:
            del self._tries[key]
        for key in [key for key in self._asking if key not in self._tries]:
            # Whoever still waits on it keeps it alive; it only stops being found.
            del self._asking[key]

    def _wait(self, key: str, most: int) -> int:
        """Seconds until `key` may try again, 0 for now."""
        tries = self._tries.get(key)
        if not tries or self._recent(tries) < most:
            return 0
        return max(1, math.ceil(tries[0] + WINDOW_S - self._clock()))

    def _recent(self, tries: deque[float]) -> int:
        since = self._clock() - WINDOW_S
        while tries and tries[0] <= since:
            tries.popleft()
        return len(tries)
