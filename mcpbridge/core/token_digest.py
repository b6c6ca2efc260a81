"""Compute keyed digests of whole tokens, which identify a token without storing it.

A prefix is public: it is in log lines and on pages. Whether Hoursmith accepted this very token before, or rejected it,
is therefore decided by its digest.

The digest does not reveal the token: a token's secret is 32 random letters and digits, about 190 bits, which cannot be
found by trying, with or without the key. The key is derived from SECRET_KEY (HKDF-SHA256, RFC 5869, with its own
purpose), which is not in the database: a copy of the database alone cannot be used to check a token found elsewhere.

Digests are never shown: not on a page, in an export, a log line or a response.
"""

import hashlib
import hmac
from collections.abc import Iterable
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

SIZE = 32
_PURPOSE = b"hoursmith token digest"

# The digest under SECRET_KEY, then those under SECRET_KEY_FALLBACKS.
Digests = tuple[bytes, ...]


def token_digests(token: str) -> Digests:
    """Return the digests of the whole `token`, 32 bytes each. Store the first; compare stored ones with all of them."""
    text = token.encode()
    digests = []
    for keyed in _keyed(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        digest = keyed.copy()
        digest.update(text)
        digests.append(digest.digest())
    return tuple(digests)


def is_digest_of(kept: bytes | None, digests: Iterable[bytes]) -> bool:
    """Return whether `kept` is one of `digests`, in constant time; False if `kept` is None."""
    return kept is not None and any(hmac.compare_digest(kept, each) for each in digests)


@lru_cache(maxsize=16)
def _keyed(*secrets: str) -> tuple["hashlib.blake2b", ...]:
    """Return an empty digest under the key of each of `secrets`, to be copied: keys are then set up only once."""
    return tuple(hashlib.blake2b(key=_key(secret), digest_size=SIZE) for secret in secrets)


def _key(secret: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())
