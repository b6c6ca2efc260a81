"""Keeps the secrets that sign webhooks: the only secrets of ours in the database, and never there in the clear.

AES-256-GCM under a key that HKDF-SHA256 (RFC 5869) makes of SECRET_KEY. The workspace is authenticated with it, so
that a sealed secret opens nowhere but where it belongs.
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

# As Standard Webhooks writes its symmetric secrets.
PREFIX = "whsec_"
_PURPOSE = b"hoursmith sink secrets"
_NONCE = 12
_BYTES = 32


def new_secret() -> str:
    """A signing secret that nobody has seen yet: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def secret_bytes(secret: str) -> bytes:
    """What signs: the bytes behind the prefix."""
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def seal(secret: str, *, org_id: str) -> str:
    """`secret` as it may lie in the database of the workspace `org_id`."""
    nonce = os.urandom(_NONCE)
    sealed = _cipher(settings.SECRET_KEY).encrypt(nonce, secret.encode(), org_id.encode())
    return base64.b64encode(nonce + sealed).decode()


def unseal(sealed: str, *, org_id: str) -> str:
    """The secret again. Raises UndeliveredError where SECRET_KEY is another one by now."""
    try:
        raw = base64.b64decode(sealed, validate=True)
    except binascii.Error:
        raw = b""
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            return _cipher(key).decrypt(raw[:_NONCE], raw[_NONCE:], org_id.encode()).decode()
        except (InvalidTag, ValueError):
            continue
    raise UndeliveredError("The signing secret cannot be opened: SECRET_KEY changed. Replace the sink's secret.")


def _cipher(text: str | bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(force_bytes(text)))
