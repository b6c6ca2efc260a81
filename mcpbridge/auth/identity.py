"""Asks Hoursmith whom a token acts as, and remembers the answer for a short while without remembering the token.

The memory's keys are digests of whole tokens (`token_digest`).
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from mcpbridge.auth.rate_limit import AttemptLimit, TooManyAttemptsError
from mcpbridge.auth.rejected_tokens import RejectedToken, RejectedTokens, TokenHistory
from mcpbridge.core.credential import Credential, CredentialError, CredentialErrorCode
from mcpbridge.core.types import Identity
from mcpbridge.tools import RestRequest
from mcpbridge.upstream import ApiResponse, UpstreamError

ME = RestRequest("GET", "/me", route="/me")
CAPACITY = 10_000
# When Hoursmith cannot be asked, a caller it accepted this lately is still taken for what they were.
STALE_S = 600.0


class Asks(Protocol):
    """What this module needs of the upstream."""

    async def send(self, call: RestRequest, credential: Credential) -> ApiResponse: ...


class IdentityUnavailableError(Exception):
    """Hoursmith answered `/me` with something else than an identity: 402, 403, 429, 5xx."""

    def __init__(self, reply: ApiResponse) -> None:
        super().__init__(reply.status)
        self.reply = reply


class IdentityCache:
    """Whom tokens act as. One for a process."""

    def __init__(
        self,
        upstream: Asks,
        refusals: RejectedTokens,
        *,
        was_accepted: Callable[[Credential], Awaitable[bool]],
        ttl_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`was_accepted` says whether Hoursmith accepted a token before, as far as anybody remembers."""
        self._upstream = upstream
        self._refusals = refusals
        self._limit = AttemptLimit(refusals, clock=clock)
        self._was_accepted = was_accepted
        self._ttl_s = ttl_s
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[Identity, float]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Identity]] = {}

    async def of(self, credential: Credential, *, address: str, fresh: bool = False) -> Identity:
        """Whom `credential` acts as. `fresh` asks Hoursmith now, so that a revoked token gets no answer at all.

        Raises CredentialError (refused), TooManyAttemptsError (this address tried too many bad ones),
        IdentityUnavailableError (an answer without an identity), UpstreamError (no answer).
        """
        digest = credential.digests[0]
        known = self._known.get(digest)
        if known and not fresh and self._clock() - known[1] < self._ttl_s:
            return known[0]
        refused = self._refusals.refused(digest)
        if refused is not None and refused.is_in_force:
            self._known.pop(digest, None)
            raise _rejected(credential)
        try:
            return await self._ask_once(digest, credential, address, refused)
        except (UpstreamError, IdentityUnavailableError) as error:
            may_be_stale = isinstance(error, UpstreamError) or error.reply.status in (429, 500, 502, 503, 504)
            if known and may_be_stale and self._clock() - known[1] < STALE_S:
                return known[0]
            raise

    def forget_refused(self, credential: Credential, *, address: str) -> None:
        """Forget a token that Hoursmith accepted and has just refused, and refuse it here for a while."""
        self._known.pop(credential.digests[0], None)
        self._refusals.count(TokenHistory.ACCEPTED_BEFORE, address)
        self._refusals.remember(credential.digests[0], was_accepted=True)

    async def _ask_once(
        self, digest: bytes, credential: Credential, address: str, refused: RejectedToken | None
    ) -> Identity:
        """One question at a time for each token, however many calls wait for the answer."""
        task = self._asking.get(digest)
        if task is None:
            is_known = digest in self._known
            asking = (
                self._ask_about_known(credential, address)
                if is_known
                else self._ask_about_new(credential, address, refused)
            )
            task = asyncio.create_task(asking)
            self._asking[digest] = task
            task.add_done_callback(lambda _: self._asking.pop(digest, None))
        # Shielded: a caller who goes away must not take the answer from the others.
        return await asyncio.shield(task)

    async def _ask_about_known(self, credential: Credential, address: str) -> Identity:
        try:
            return await self._ask(credential)
        except CredentialError:
            self.forget_refused(credential, address=address)
            raise

    async def _ask_about_new(self, credential: Credential, address: str, refused: RejectedToken | None) -> Identity:
        """Ask about a token that was not accepted lately: it could be a guess, and Hoursmith counts guesses."""
        was_refused = refused is not None and refused.was_accepted
        looked_up: list[bool] = []

        async def was_accepted() -> bool:
            if not looked_up:
                looked_up.append(await self._was_accepted(credential))
            return looked_up[0]

        try:
            async with self._limit.attempt(address, was_refused=was_refused, was_accepted=was_accepted) as attempt:
                try:
                    identity = await self._ask(credential)
                except CredentialError:
                    attempt.is_refused = True
                    raise
                except IdentityUnavailableError as error:
                    # Hoursmith may have had enough of bad tokens, and is not to be shown more at once.
                    attempt.is_refused = error.reply.status == 429
                    raise
        except CredentialError:
            self._refusals.remember(credential.digests[0], was_accepted=was_refused or looked_up == [True])
            raise
        except TooManyAttemptsError:
            if refused is not None:
                # It is no guess that has to wait: Hoursmith refused this very token the last time.
                raise _rejected(credential) from None
            raise
        if refused is not None:
            self._refusals.forget(credential.digests[0])
        return identity

    async def _ask(self, credential: Credential) -> Identity:
        reply = await self._upstream.send(ME, credential)
        if reply.status == 401:
            raise _rejected(credential)
        if not reply.is_success:
            raise IdentityUnavailableError(reply)
        identity = _identity(reply.payload.get("data"))
        _remember(self._known, credential.digests[0], (identity, self._clock()))
        return identity


def _rejected(credential: Credential) -> CredentialError:
    return CredentialError(CredentialErrorCode.REJECTED, token=credential.token_ref)


def _identity(me: Any) -> Identity:
    """The identity in the payload of `/me`; raises UpstreamError where there is none."""
    if not isinstance(me, dict) or not isinstance(me.get("orgId"), str) or not me["orgId"]:
        raise UpstreamError
    scopes = me.get("scopes")
    return Identity(
        org_id=me["orgId"],
        org_name=_text(me.get("orgName")),
        plan=_text(me.get("plan")),
        role=_text(me.get("role")).upper(),
        token_name=_text(me.get("tokenName")),
        scopes=tuple(_text(scope) for scope in scopes) if isinstance(scopes, list) else (),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _remember(memory: OrderedDict[bytes, Any], digest: bytes, value: Any) -> None:
    memory[digest] = value
    memory.move_to_end(digest)
    if len(memory) > CAPACITY:
        memory.popitem(last=False)
