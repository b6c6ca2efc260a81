"""Encrypt the signing secrets of webhooks for the database.

AES-256-GCM with a key derived from SECRET_KEY by HKDF-SHA256 (RFC 5869). The workspace id is authenticated, so an
encrypted secret can only be decrypted for the workspace that it belongs to.
"""

import base64
import binascii
import os
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.encoding import force_bytes

from mcpbridge.audit.destinations.errors import UndeliveredError

# Prefix of symmetric secrets in Standard Webhooks.
PREFIX = "whsec_"
_PURPOSE = b"hoursmith destination secrets"
_NONCE = 12
_BYTES = 32


def new_secret() -> str:
    """Create a signing secret: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def secret_bytes(secret: str) -> bytes:
    """Return the key bytes of `secret`, which follow the prefix. Raises ValueError."""
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def encrypt(secret: str, *, org_id: str) -> str:
    """Return `secret` encrypted for the workspace `org_id`, in base64."""
    nonce = os.urandom(_NONCE)
    encrypted = _cipher(settings.SECRET_KEY).encrypt(nonce, secret.encode(), org_id.encode())
    return base64.b64encode(nonce + encrypted).decode()


def decrypt(encrypted: str, *, org_id: str) -> str:
    """Return the secret. Raises UndeliveredError if no current or former SECRET_KEY decrypts it."""
    try:
        raw = base64.b64decode(encrypted, validate=True)
    except binascii.Error:
        raw = b""
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            return _cipher(key).decrypt(raw[:_NONCE], raw[_NONCE:], org_id.encode()).decode()
        except (InvalidTag, ValueError):
            continue
    raise UndeliveredError(
        "The signing secret cannot be decrypted because SECRET_KEY changed. Rotate the secret of this destination."
    )


def _cipher(text: str | bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(force_bytes(text)))
