"""Look up the identity of a token with Hoursmith's `/me`, and cache it for a short time.

The keys of the cache are digests of whole tokens (`token_digest`).
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
# If Hoursmith is unavailable, an identity is still used for this long.
STALE_S = 600.0


class Asks(Protocol):
    """The part of the upstream that this module uses."""

    async def send(self, call: RestRequest, credential: Credential) -> ApiResponse: ...


class IdentityUnavailableError(Exception):
    """Hoursmith answered `/me` without an identity: 402, 403, 429, 5xx."""

    def __init__(self, reply: ApiResponse) -> None:
        super().__init__(reply.status)
        self.reply = reply


class IdentityCache:
    """Caches the identities of tokens. One per process."""

    def __init__(
        self,
        upstream: Asks,
        rejected: RejectedTokens,
        *,
        was_accepted: Callable[[Credential], Awaitable[bool]],
        ttl_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take `was_accepted`, which returns whether Hoursmith accepted a token before, as far as is known."""
        self._upstream = upstream
        self._rejected = rejected
        self._limit = AttemptLimit(rejected, clock=clock)
        self._was_accepted = was_accepted
        self._ttl_s = ttl_s
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[Identity, float]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Identity]] = {}

    async def of(self, credential: Credential, *, address: str, fresh: bool = False) -> Identity:
        """Return the identity of `credential`. `fresh` skips the cache, so that a revoked token gets no response.

        Raises CredentialError (rejected), TooManyAttemptsError (too many bad tokens from this address),
        IdentityUnavailableError (a response without an identity), UpstreamError (no response).
        """
        digest = credential.digests[0]
        known = self._known.get(digest)
        if known and not fresh and self._clock() - known[1] < self._ttl_s:
            return known[0]
        refused = self._rejected.refused(digest)
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
        """Remove a token that Hoursmith has just rejected from the cache, and reject it here for a while."""
        self._known.pop(credential.digests[0], None)
        self._rejected.count(TokenHistory.ACCEPTED_BEFORE, address)
        self._rejected.remember(credential.digests[0], was_accepted=True)

    async def _ask_once(
        self, digest: bytes, credential: Credential, address: str, refused: RejectedToken | None
    ) -> Identity:
        """Send one request at a time per token, however many calls wait for it."""
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
        # Shielded: a caller that disconnects must not cancel it for the others.
        return await asyncio.shield(task)

    async def _ask_about_known(self, credential: Credential, address: str) -> Identity:
        try:
            return await self._ask(credential)
        except CredentialError:
            self.forget_refused(credential, address=address)
            raise

    async def _ask_about_new(self, credential: Credential, address: str, refused: RejectedToken | None) -> Identity:
        """Look up a token that was not accepted recently: it could be a guess, and Hoursmith counts guesses."""
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
                    # Hoursmith is rate limiting, possibly for bad tokens: do not send more at once.
                    attempt.is_refused = error.reply.status == 429
                    raise
        except CredentialError:
            self._rejected.remember(credential.digests[0], was_accepted=was_refused or looked_up == [True])
            raise
        except TooManyAttemptsError:
            if refused is not None:
                # Not a guess: Hoursmith rejected this very token the last time.
                raise _rejected(credential) from None
            raise
        if refused is not None:
            self._rejected.forget(credential.digests[0])
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
    """Return the identity in the payload of `/me`; raise UpstreamError if there is none."""
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
