"""Authenticate a token. Missing, malformed, unknown, wrong and revoked tokens get the same response."""

import hashlib
import hmac
import re

from hoursmith_console.sandbox.api.auth_context import AuthContext
from hoursmith_console.sandbox.api.errors import UnauthenticatedError
from hoursmith_console.sandbox.models import Token

_HEADER = re.compile(r"bearer +hsk_(live|test)_([0-9A-Za-z]{12})_([0-9A-Za-z]{32})", re.ASCII | re.IGNORECASE)
_NO_HASH = "0" * 64


def secret_hash(secret: str) -> str:
    """Return the stored hash of a secret. A plain hash suffices, since secrets are long and random."""
    return hashlib.sha256(secret.encode()).hexdigest()


def authenticate(header: str) -> AuthContext:
    """Return the membership behind an Authorization header; raise UnauthenticatedError."""
    match = _HEADER.fullmatch(header.strip())
    if not match:
        raise UnauthenticatedError
    env, prefix, secret = match.groups()
    token = Token.objects.select_related("member__org", "member__user").filter(env=env, prefix=prefix).first()
    # Also compared for an unknown prefix, so that timing does not reveal which prefixes exist.
    fits = hmac.compare_digest(token.secret_hash if token else _NO_HASH, secret_hash(secret))
    if token is None or not fits or token.revoked_at is not None or not token.member.is_active:
        raise UnauthenticatedError
    return AuthContext(token)
