"""Limit how many unknown tokens are sent to Hoursmith (per address and in total; 60 s window).

Hoursmith counts bad tokens by the bridge's address. A token that Hoursmith accepted before is never limited. The limit
depends on nothing that a caller can choose (a prefix, a name, a connection): only on its address, and on the total.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from mcpbridge.auth.rejected_tokens import NoSlot, RejectedTokens, Slot, TokenHistory

# How long a lookup waits for a slot that may be released, and how many may wait.
_WAIT_S = 10.0
_WAITING_AT_MOST = 500
_LOOK_S = 0.05


class TooManyAttemptsError(Exception):
    """Too many unknown tokens were tried; none is sent to Hoursmith for `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class Attempt:
    """One lookup of a token that Hoursmith may reject."""

    def __init__(self) -> None:
        self.is_refused = False


class AttemptLimit:
    """Assigns the slots in `rejected`. One per process; all processes share the slots."""

    def __init__(self, rejected: RejectedTokens, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rejected = rejected
        self._clock = clock
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def attempt(
        self, address: str, *, was_refused: bool, was_accepted: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[Attempt]:
        """Hold a slot while one token is looked up; raise TooManyAttemptsError if none is free.

        `was_refused` marks a token that was accepted once and rejected since, which has slots of its own.
        `was_accepted` is called if no slot is free: a token that Hoursmith accepted before needs none.
        """
        sort = TokenHistory.REJECTED_BEFORE if was_refused else TokenHistory.UNKNOWN
        found = self._rejected.take(sort, address)
        # A token that was accepted before does not wait for the slots of unknown tokens.
        if isinstance(found, NoSlot) and (was_refused or not await was_accepted()):
            found = await self._place(sort, address)
            if isinstance(found, NoSlot):
                raise TooManyAttemptsError(found.wait_s)
        attempt = Attempt()
        try:
            yield attempt
        finally:
            if attempt.is_refused and sort is TokenHistory.UNKNOWN and await was_accepted():
                # The rejection of a known token must not use a slot for unknown tokens.
                sort = TokenHistory.ACCEPTED_BEFORE
            if isinstance(found, NoSlot):
                if attempt.is_refused:
                    self._rejected.count(sort, address)
            elif attempt.is_refused:
                self._rejected.spend(found, sort, address)
            else:
                self._rejected.give_back(found)

    async def _place(self, sort: TokenHistory, address: str) -> Slot | NoSlot:
        """Return a slot, after waiting for one to be released if necessary."""
        give_up_at = self._clock() + _WAIT_S
        self._waiting += 1
        try:
            while True:
                place = self._rejected.take(sort, address)
                if isinstance(place, Slot) or not place.is_held:
                    return place
                if self._waiting > _WAITING_AT_MOST or self._clock() >= give_up_at:
                    return place
                # Another process may hold it, and cannot notify this one.
                await asyncio.sleep(_LOOK_S)
        finally:
            self._waiting -= 1
