"""Open the access envelope of a request to `/mcp`, which continues with the Hoursmith token that is in it."""

import time
from collections.abc import Callable

from mcpbridge.core.credential import CredentialError, CredentialErrorCode
from mcpbridge.grants import config
from mcpbridge.grants.envelopes import Envelope, Kind, unseal

_ACCESS = f"hse_{Kind.ACCESS}1_"


def open_access(text: str) -> Envelope:
    """Return the contents of the access envelope `text`, which `check_access` checks; raise CredentialError."""
    if not text.startswith(_ACCESS):
        raise CredentialError(CredentialErrorCode.NOT_AN_ACCESS_ENVELOPE)
    envelope = unseal(Kind.ACCESS, text) if config.is_enabled() else None
    if envelope is None:
        raise CredentialError(CredentialErrorCode.ENVELOPE_UNREADABLE)
    return envelope


def check_access(envelope: Envelope, *, connection: str, has_ended: Callable[[str], bool]) -> None:
    """Raise CredentialError unless the envelope is good for a request on `connection`, empty for `/mcp` itself.

    `has_ended` returns whether a grant has ended.
    """
    if envelope.is_expired(time.time()):
        raise _fault(envelope, CredentialErrorCode.ENVELOPE_EXPIRED)
    if has_ended(envelope.grant):
        raise _fault(envelope, CredentialErrorCode.GRANT_ENDED)
    if connection and envelope.connection and connection != envelope.connection:
        raise _fault(envelope, CredentialErrorCode.WRONG_CONNECTION)


def _fault(envelope: Envelope, code: CredentialErrorCode) -> CredentialError:
    credential = envelope.credential
    return CredentialError(code, token=credential.token_ref, digests=credential.digests)
