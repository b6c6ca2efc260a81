"""Look up by digest in the database whether Hoursmith accepted a token before.

Used only when the slots for unknown tokens are taken. All lookups of a moment are one query on one thread with a time
limit: a flood of made-up tokens costs no more than that, and no caller waits for an unavailable database.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from django.db import Error, router

from mcpbridge.activity.observed import KnownToken, known_tokens
from mcpbridge.core.credential import Credential
from mcpbridge.core.token_digest import Digests
from mcpbridge.db.timeouts import bounded_read, drop_connection, use_own_connection
from mcpbridge.models import ObservedToken, TokenRef

logger = logging.getLogger(__name__)

_AT_MOST = 2_000


class _Question(NamedTuple):
    token: TokenRef
    digests: Digests
    answer: asyncio.Future[bool]


class AcceptedTokens:
    """Looks up tokens. One per process; `close` it at the end."""

    def __init__(self, *, limit_s: float = 2.0) -> None:
        self._limit_s = limit_s
        self._alias = router.db_for_read(ObservedToken)
        self._thread = ThreadPoolExecutor(1, "accepted-tokens")
        self._has_connection = self._is_closed = False
        self._waiting: list[_Question] = []
        self._task: asyncio.Task[None] | None = None

    async def has(self, credential: Credential) -> bool:
        """Return whether Hoursmith accepted this very token before; False also if that is not known in time."""
        if len(self._waiting) >= _AT_MOST:
            return False
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Question(credential.token_ref, credential.digests, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._look_up())
        try:
            return await asyncio.wait_for(answer, self._limit_s)
        except TimeoutError:
            return False

    def close(self) -> None:
        """Stop the thread and close its connection; safe to call twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self._thread.submit(self._drop)
        self._thread.shutdown(wait=False)

    async def _look_up(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, []
                found = await asyncio.get_running_loop().run_in_executor(
                    self._thread, self._found, [question.token for question in asked]
                )
                for token, digests, answer in asked:
                    if not answer.done():
                        answer.set_result(token in found and found[token].matches(digests))
        finally:
            self._task = None

    def _found(self, tokens: Sequence[TokenRef]) -> dict[TokenRef, KnownToken]:
        if not self._has_connection:
            use_own_connection(self._alias, limit_s=self._limit_s)
            self._has_connection = True
        try:
            with bounded_read(self._alias, limit_s=self._limit_s):
                return known_tokens(self._alias, tokens)
        except Error as error:
            logger.warning("Known tokens cannot be looked up now: %s", type(error).__name__)
            drop_connection(self._alias)
            return {}

    def _drop(self) -> None:
        if self._has_connection:
            drop_connection(self._alias)
