"""Asks Hoursmith whom a token acts as, and remembers the answer for a short while without remembering the token.

The memory's keys are digests under a random key of this process: neither a dump of the memory nor a second
process can tell which token an entry belongs to.
"""

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from mcpbridge.credentials import Credential, CredentialFaultError, Fault
from mcpbridge.facts import Identity
from mcpbridge.gate import AttemptLimit
from mcpbridge.tools import RestRequest
from mcpbridge.upstream import Reply, UpstreamError

ME = RestRequest("GET", "/me", route="/me")
CAPACITY = 10_000
# A refused token stays refused for this long without asking again: what Hoursmith revoked never comes back.
REFUSED_S = 60.0
# When Hoursmith cannot be asked, a caller it accepted this lately is still taken for what they were.
STALE_S = 600.0


class Asks(Protocol):
    """What this module needs of the upstream."""

    async def send(self, call: RestRequest, credential: Credential) -> Reply: ...


class IdentityUnavailableError(Exception):
    """Hoursmith answered `/me` with something else than an identity: 402, 403, 429, 5xx."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Identities:
    """Whom tokens act as. One for a process."""

    def __init__(
        self,
        upstream: Asks,
        limit: AttemptLimit,
        *,
        was_seen: Callable[[Credential], Awaitable[bool]],
        ttl_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstream = upstream
        self._limit = limit
        self._was_seen = was_seen
        self._ttl_s = ttl_s
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, tuple[Identity, float]] = OrderedDict()
        self._refused: OrderedDict[bytes, float] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Identity]] = {}

    async def of(self, credential: Credential, *, address: str, fresh: bool = False) -> Identity:
        """Whom `credential` acts as. `fresh` asks Hoursmith now, so that a revoked token gets no answer at all.

        Raises CredentialFaultError (refused), TooManyAttemptsError (this address tried too many bad ones),
        IdentityUnavailableError (an answer without an identity), UpstreamError (no answer).
        """
        digest = self._digest(credential)
        now = self._clock()
        known = self._known.get(digest)
        if known and not fresh and now - known[1] < self._ttl_s:
            return known[0]
        if self._refused.get(digest, 0.0) > now:
            raise CredentialFaultError(Fault.REJECTED, env=credential.env, prefix=credential.prefix)
        try:
            if known is None:
                return await self._ask_about_stranger(digest, credential, address)
            return await self._ask_once(digest, credential)
        except (UpstreamError, IdentityUnavailableError) as error:
            may_be_stale = isinstance(error, UpstreamError) or error.reply.status in (429, 500, 502, 503, 504)
            if known and may_be_stale and now - known[1] < STALE_S:
                return known[0]
            raise

    def refuse(self, credential: Credential) -> None:
        """Forget a token that Hoursmith has just refused, and refuse it here for a while."""
        digest = self._digest(credential)
        self._known.pop(digest, None)
        _remember(self._refused, digest, self._clock() + REFUSED_S)

    def _digest(self, credential: Credential) -> bytes:
        return hashlib.blake2b(credential.token.encode(), key=self._key, digest_size=32).digest()

    async def _ask_about_stranger(self, digest: bytes, credential: Credential, address: str) -> Identity:
        # Any token that was not accepted lately could be a guess, and Hoursmith counts guesses per address,
        # which here is ours and everybody's.
        async with self._limit.attempt(address, credential.prefix, was_seen=lambda: self._was_seen(credential)):
            # While this call queued, another one may have brought the answer.
            if self._refused.get(digest, 0.0) > self._clock():
                raise CredentialFaultError(Fault.REJECTED, env=credential.env, prefix=credential.prefix)
            if known := self._known.get(digest):
                return known[0]
            try:
                return await self._ask_once(digest, credential)
            except CredentialFaultError:
                self._limit.count(address, credential.prefix)
                raise

    async def _ask_once(self, digest: bytes, credential: Credential) -> Identity:
        """One question at a time for each token, however many calls wait for the answer."""
        task = self._asking.get(digest)
        if task is None:
            task = asyncio.create_task(self._ask(digest, credential))
            self._asking[digest] = task
            task.add_done_callback(lambda _: self._asking.pop(digest, None))
        # Shielded: a caller who goes away must not take the answer from the others.
        return await asyncio.shield(task)

    async def _ask(self, digest: bytes, credential: Credential) -> Identity:
        reply = await self._upstream.send(ME, credential)
        if reply.status == 401:
            self.refuse(credential)
            raise CredentialFaultError(Fault.REJECTED, env=credential.env, prefix=credential.prefix)
        if not reply.is_success:
            raise IdentityUnavailableError(reply)
        identity = _identity(reply.payload.get("data"))
        self._refused.pop(digest, None)
        _remember(self._known, digest, (identity, self._clock()))
        return identity


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
