"""Derive the keys of envelopes and client ids from OAUTH_SEALING_KEY and OAUTH_SEALING_KEYS_OLD.

The first key seals, all of them open. Each purpose has a key of its own (HKDF-SHA256, RFC 5869), so that an envelope of
one kind can never be opened as another.
"""

import hashlib
from functools import lru_cache
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

KEY_ID_LENGTH = 4


class Cipher(NamedTuple):
    """A key ready for use, and the id by which envelopes name it."""

    key_id: bytes
    aead: AESGCMSIV


def ciphers(kind: str) -> tuple[Cipher, ...]:
    """Return the ciphers for envelopes of `kind`, the sealing one first; none if no key is set."""
    return _ciphers(kind, *_secrets())


def mac_keys(purpose: str) -> tuple[bytes, ...]:
    """Return the keys for message authentication codes for `purpose`, the signing one first; none if no key is set."""
    return _mac_keys(purpose, *_secrets())


def _secrets() -> tuple[str, ...]:
    newest = settings.OAUTH_SEALING_KEY
    return (newest, *settings.OAUTH_SEALING_KEYS_OLD) if newest else ()


# Cached: building a cipher costs seven times as much as opening an envelope with it.
@lru_cache(maxsize=32)
def _ciphers(kind: str, *secrets: str) -> tuple[Cipher, ...]:
    keys = [_derived(f"envelope {kind}", secret) for secret in secrets]
    return tuple(Cipher(hashlib.sha256(b"id" + key).digest()[:KEY_ID_LENGTH], AESGCMSIV(key)) for key in keys)


@lru_cache(maxsize=32)
def _mac_keys(purpose: str, *secrets: str) -> tuple[bytes, ...]:
    return tuple(_derived(purpose, secret) for secret in secrets)


def _derived(purpose: str, secret: str) -> bytes:
    info = f"hoursmith {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode())
