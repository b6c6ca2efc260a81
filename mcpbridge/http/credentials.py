"""Find the credential of a request, a Hoursmith token or the one in an access envelope, and refuse it with HTTP 401."""

from collections.abc import Iterable

from mcpbridge.auth.credentials import credential_from_headers
from mcpbridge.auth.restrictions.store import Restrictions
from mcpbridge.core.credential import Credential, CredentialError, CredentialErrorCode
from mcpbridge.core.types import Caller
from mcpbridge.grants import config
from mcpbridge.grants.resources import resource_at
from mcpbridge.grants.tokens.access import check_access, open_access
from mcpbridge.http.request import HttpError

UNAUTHENTICATED = -32040


class Authentication:
    """The credential of one request to `path`. `caller` is filled in as far as the credential can be read."""

    __slots__ = ("_is_envelope", "_path", "caller", "is_read_only")

    def __init__(self, caller: Caller, path: str) -> None:
        self.caller = caller
        self.is_read_only = False
        self._path = path
        self._is_envelope = False

    def credential(self, headers: Iterable[tuple[bytes, bytes]], restrictions: Restrictions) -> Credential:
        """Return the credential in `headers`; raise CredentialError. The token is not blocked, the grant not ended."""
        lines = [value for name, value in headers if name == b"authorization"]
        credential = credential_from_headers(lines, open_envelope=lambda text: self._opened(text, restrictions))
        caller = self.caller
        caller.env, caller.prefix, caller.digests = credential.env, credential.prefix, credential.digests
        if restrictions.is_blocked(credential.token_ref):
            raise CredentialError(CredentialErrorCode.BLOCKED, token=credential.token_ref)
        return credential

    def refusal(self, error: CredentialError) -> HttpError:
        """Build HTTP 401 with the challenge of RFC 6750 section 3; without an error code if no credential was sent.

        It leads to the sign-in (RFC 9728) unless a Hoursmith token was sent: then the configuration must be corrected.
        """
        is_missing = error.code is CredentialErrorCode.MISSING
        challenge = 'Bearer realm="hoursmith"'
        if not is_missing:
            challenge += f', error="invalid_token", error_description="{error.code.value}"'
        resource = resource_at(self._path)
        if (is_missing or self._is_envelope) and config.is_enabled() and resource is not None:
            challenge += f", {resource.challenge}"
        return HttpError(
            401,
            error.explanation,
            code=UNAUTHENTICATED,
            headers=[(b"www-authenticate", challenge.encode())],
            fault=error.code.value,
        )

    def _opened(self, text: str, restrictions: Restrictions) -> Credential:
        self._is_envelope = True
        envelope = open_access(text)
        connection = self.caller.connection
        # Also if it is refused, so that the connection's page shows why.
        self.caller.connection = envelope.connection or connection
        check_access(envelope, connection=connection, has_ended=restrictions.has_ended)
        self.is_read_only = envelope.is_read_only
        return envelope.credential
