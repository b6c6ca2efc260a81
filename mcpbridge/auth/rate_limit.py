"""Keeps bad tokens from spending the budget that Hoursmith gives the bridge's address.

A token that Hoursmith has accepted before waits for nothing here, and is never refused here: the budget is for tokens
that it is not known to have accepted. Nothing that a stranger chooses decides whose budget is spent: not a prefix, a
name or a connection, only the address that the request came from, and the whole.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from mcpbridge.auth.rejected_tokens import NoSlot, RejectedTokens, Slot, TokenHistory

# How long a question waits for a place that another one holds and may give back, and how many may wait.
_WAIT_S = 10.0
_WAITING_AT_MOST = 500
_LOOK_S = 0.05


class TooManyAttemptsError(Exception):
    """Too many unknown tokens were tried; none is passed on for `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class Attempt:
    """One question to Hoursmith about a token that it may refuse."""

    def __init__(self) -> None:
        self.is_refused = False


class AttemptLimit:
    """Hands out the places of `refusals`. One for a process; the places are all processes'."""

    def __init__(self, refusals: RejectedTokens, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._refusals = refusals
        self._clock = clock
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def attempt(
        self, address: str, *, was_refused: bool, was_accepted: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[Attempt]:
        """Let Hoursmith be asked about one token; raises TooManyAttemptsError where no place is free.

        `was_refused`: of a token that it accepted once and refused since, which has places of its own. `was_accepted`
        is asked where strangers have used up theirs: a token that Hoursmith accepted before needs none.
        """
        sort = TokenHistory.REJECTED_BEFORE if was_refused else TokenHistory.UNKNOWN
        found = self._refusals.take(sort, address)
        # A token that was accepted before does not even wait for what strangers hold.
        if isinstance(found, NoSlot) and (was_refused or not await was_accepted()):
            found = await self._place(sort, address)
            if isinstance(found, NoSlot):
                raise TooManyAttemptsError(found.wait_s)
        attempt = Attempt()
        try:
            yield attempt
        finally:
            if attempt.is_refused and sort is TokenHistory.UNKNOWN and await was_accepted():
                # A known token's refusal is not to be paid for by strangers.
                sort = TokenHistory.ACCEPTED_BEFORE
            if isinstance(found, NoSlot):
                if attempt.is_refused:
                    self._refusals.count(sort, address)
            elif attempt.is_refused:
                self._refusals.spend(found, sort, address)
            else:
                self._refusals.give_back(found)

    async def _place(self, sort: TokenHistory, address: str) -> Slot | NoSlot:
        """A place, after waiting for one that may be given back."""
        give_up_at = self._clock() + _WAIT_S
        self._waiting += 1
        try:
            while True:
                place = self._refusals.take(sort, address)
                if isinstance(place, Slot) or not place.is_held:
                    return place
                if self._waiting > _WAITING_AT_MOST or self._clock() >= give_up_at:
                    return place
                # Another process may hold it, which cannot tell us when it gives it back.
                await asyncio.sleep(_LOOK_S)
        finally:
            self._waiting -= 1
