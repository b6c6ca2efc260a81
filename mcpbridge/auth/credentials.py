"""Read the credential from a request, and explain what is wrong with it.

A bad credential is nearly always a configuration mistake: a client that did not expand a variable, or a placeholder
left in place. So each kind has a code and a fix. What was sent is never repeated: even a damaged token may contain most
of a secret.

Source: RFC 6750 section 2.1 (the header), the Hoursmith contract section 2 (the token's shape).
"""

import re
from collections.abc import Callable, Sequence

from mcpbridge.core.credential import Credential, CredentialError, CredentialErrorCode
from mcpbridge.core.token_digest import token_digests
from mcpbridge.models import TokenRef

MAX_HEADER_LENGTH = 4096
# What an envelope begins with.
ENVELOPE = "hse_"

_TOKEN = re.compile(r"hsk_(live|test)_([0-9A-Za-z]{12})_([0-9A-Za-z]{32})", re.ASCII)
_REFERENCE = re.compile(r"\$\{[^}]*\}?|\{(?:env|input|file):[^}]*\}?|\$[A-Za-z_]\w*|%[A-Za-z_]\w*%", re.ASCII)
_PLACEHOLDER = re.compile(
    r"<[^>]*>?|\[[^\]]*\]?|(?:your|my|paste|insert|replace)[-_ ].*|x{8,}|\*{4,}|\.{3,}|…+|token", re.IGNORECASE
)


def credential_from_headers(
    values: Sequence[bytes], *, open_envelope: Callable[[str], Credential] | None = None
) -> Credential:
    """Return the credential in the Authorization header lines `values`; raise CredentialError.

    `open_envelope` returns the one in an envelope (`mcpbridge.grants`); without it, envelopes are not accepted.
    """
    text = _bearer(values)
    return open_envelope(text) if open_envelope and text.startswith(ENVELOPE) else credential_from_text(text)


def _bearer(values: Sequence[bytes]) -> str:
    if not values:
        raise CredentialError(CredentialErrorCode.MISSING)
    if len(values) > 1:
        raise CredentialError(CredentialErrorCode.REPEATED_HEADER)
    header = values[0]
    if len(header) > MAX_HEADER_LENGTH:
        raise CredentialError(CredentialErrorCode.TOO_LONG)
    text = header.decode("latin-1").strip()
    scheme, _, rest = text.partition(" ")
    if scheme.lower() != "bearer":
        if not scheme:
            raise CredentialError(CredentialErrorCode.EMPTY)
        # “Authorization: hsk_…” and “Authorization: ${TOKEN}” are the same mistake; the latter has a better code.
        raise _fault(
            text, CredentialErrorCode.UNEXPANDED if _REFERENCE.search(scheme) else CredentialErrorCode.OTHER_SCHEME
        )
    return rest.strip()


def credential_from_text(text: str) -> Credential:
    """Return the credential in `text`, ignoring space around it; raise CredentialError."""
    text = text.strip()
    if match := _TOKEN.fullmatch(text):
        return Credential(env=match[1], prefix=match[2], secret=match[3])
    raise _fault(text, _kind(text)) if text else CredentialError(CredentialErrorCode.EMPTY)


def _fault(text: str, fault: CredentialErrorCode) -> CredentialError:
    # Name the prefix only of a whole token: in anything shorter the secret part is unknown.
    whole = _TOKEN.search(text)
    if whole is None:
        return CredentialError(fault)
    return CredentialError(fault, token=TokenRef(whole[1], whole[2]), digests=token_digests(whole[0]))


def _kind(text: str) -> CredentialErrorCode:
    if _REFERENCE.search(text):
        return CredentialErrorCode.UNEXPANDED
    if text.lower() == "bearer" or text.lower().startswith("bearer "):
        return CredentialErrorCode.BEARER_TWICE
    if text[0] in "\"'`“”‘’«" or text[-1] in "\"'`“”‘’»":
        return CredentialErrorCode.QUOTED
    if _PLACEHOLDER.fullmatch(text):
        return CredentialErrorCode.PLACEHOLDER
    if text.startswith("hsk_"):
        if "<" in text or "…" in text or "..." in text or "xxxx" in text.lower():
            return CredentialErrorCode.PLACEHOLDER
        return CredentialErrorCode.WHITESPACE if re.search(r"\s", text) else CredentialErrorCode.MALFORMED
    if re.search(r"\s", text):
        return CredentialErrorCode.WHITESPACE
    return CredentialErrorCode.NOT_A_TOKEN
