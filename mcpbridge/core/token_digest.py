"""Tells a token from its prefix without keeping the token: a keyed digest of the whole of it.

A prefix is public: anybody who saw a log line or a page knows it. What has to be known of "the very token" – that
Hoursmith accepted it before, that it was this token that was refused – is therefore decided by its digest alone.

The digest is not the token. A token's secret is 32 letters and digits, about 190 bits drawn at random, so that
nobody finds it from a digest by trying, whether or not they know the key; and Hoursmith accepts nothing but the
token. The key comes from SECRET_KEY (HKDF-SHA256, RFC 5869, with a purpose of its own), which is not in the
database: a copy of the database alone cannot even be used to check a token that somebody found elsewhere.

A digest decides and is never shown: not in a page, an export, a log line or an answer.
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
    """The digests of the whole `token`, 32 bytes each: the first is the one to keep, any may be one kept before."""
    text = token.encode()
    digests = []
    for keyed in _keyed(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        digest = keyed.copy()
        digest.update(text)
        digests.append(digest.digest())
    return tuple(digests)


def is_digest_of(kept: bytes | None, digests: Iterable[bytes]) -> bool:
    """Whether `kept` is one of `digests`; False where none was kept. Takes the same time whichever byte differs."""
    return kept is not None and any(hmac.compare_digest(kept, each) for each in digests)


@lru_cache(maxsize=16)
def _keyed(*secrets: str) -> tuple["hashlib.blake2b", ...]:
    """A digest of nothing yet under the key of each of `secrets`, to be copied: that spares each token the key."""
    return tuple(hashlib.blake2b(key=_key(secret), digest_size=SIZE) for secret in secrets)


def _key(secret: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())
