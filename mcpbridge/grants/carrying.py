"""Carry an authorization from one page to the next in a hidden field; nothing is kept on the server.

A field is bound to the browser by a secret in its cookie, and good for ten minutes. Before the token is known it is
signed; with the token it is an envelope.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.core import signing
from django.utils import timezone

from mcpbridge.core.credential import Credential
from mcpbridge.core.types import Identity
from mcpbridge.grants import config
from mcpbridge.grants.envelopes import Envelope, Flags, Kind, Sealed, new_grant_id, seal, unseal
from mcpbridge.grants.requests import AuthorizationRequest, restored_request

_SALT = "hoursmith authorization request"


class ExpiredPageError(Exception):
    """The field is too old, was changed, or belongs to another browser."""

    def __init__(self) -> None:
        super().__init__("This page has expired. Go back to the assistant and connect it again.")


@dataclass(frozen=True, slots=True)
class Pending:
    """A request with its token, which its user has not decided yet."""

    request: AuthorizationRequest
    credential: Credential
    identity: Identity
    # Of the grant that `decisions.allow` creates; so one page is decided once.
    grant_id: str
    lasts: timedelta
    is_read_only: bool


def sign_request(request: AuthorizationRequest, *, browser: str) -> str:
    """Return `request` as the text of a hidden field for the browser with the secret `browser`."""
    return signing.dumps(request.facts(), salt=f"{_SALT} {browser}", compress=True)


def read_request(text: str, *, browser: str) -> AuthorizationRequest:
    """Return the request in `text`; raise ExpiredPageError, or what `requests.check_request` raises."""
    try:
        facts = signing.loads(text, salt=f"{_SALT} {browser}", max_age=config.PENDING_LIFETIME)
    except signing.BadSignature:
        raise ExpiredPageError from None
    return restored_request(facts)


def seal_pending(
    *,
    request: AuthorizationRequest,
    credential: Credential,
    identity: Identity,
    lasts: timedelta,
    is_read_only: bool,
    browser: str,
) -> Sealed:
    """Seal what the second page needs. `lasts` and `is_read_only` are what the user chose."""
    facts = {
        "browser": _browser_digest(browser),
        "request": request.facts(),
        "identity": {name: getattr(identity, name) for name in Identity.__slots__},
        "lasts": lasts.total_seconds(),
    }
    envelope = Envelope(
        kind=Kind.PENDING,
        credential=credential,
        expires_at=_seconds(timezone.now() + config.PENDING_LIFETIME),
        grant=new_grant_id(),
        flags=Flags.READ_ONLY if is_read_only or request.asks_read_only else Flags.NONE,
        bound=orjson.dumps(facts),
    )
    return seal(envelope)


def open_pending(text: str, *, browser: str) -> Pending:
    """Return what `seal_pending` sealed; raise ExpiredPageError, or what `requests.check_request` raises."""
    envelope = unseal(Kind.PENDING, text)
    if envelope is None or envelope.is_expired(timezone.now().timestamp()):
        raise ExpiredPageError
    facts: dict[str, Any] = orjson.loads(envelope.bound)
    if not hmac.compare_digest(facts["browser"], _browser_digest(browser)):
        raise ExpiredPageError
    return Pending(
        request=restored_request(facts["request"]),
        credential=envelope.credential,
        identity=Identity(**{**facts["identity"], "scopes": tuple(facts["identity"]["scopes"])}),
        grant_id=envelope.grant,
        lasts=min(timedelta(seconds=facts["lasts"]), config.grant_lifetime()),
        is_read_only=envelope.is_read_only,
    )


def _browser_digest(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp())
