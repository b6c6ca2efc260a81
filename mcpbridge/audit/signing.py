"""Sign checkpoints, cuts and key announcements with Ed25519.

Each message is the RFC 8785 form of one JSON object whose `format` names its type, so that a signature on one type is
never valid for another. `docs/audit-format.md` specifies them.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from mcpbridge.audit.hashchain import canonical, instant

CHECKPOINT_FORMAT = "hoursmith-checkpoint-1"
CUT_FORMAT = "hoursmith-cut-1"
KEY_FORMAT = "hoursmith-key-1"
_PURPOSE = b"hoursmith audit signing"


@dataclass(frozen=True, slots=True)
class SigningKeyPair:
    """An Ed25519 key pair. `key_id` and `public_key` (base64 of 32 bytes) are public; the rest is never shown."""

    key_id: str
    public_key: str
    _private: Ed25519PrivateKey = field(repr=False, compare=False)

    def sign(self, message: bytes) -> str:
        """Return the signature of `message` (RFC 8032), in base64."""
        return base64.b64encode(self._private.sign(message)).decode()


def key_pair(text: str) -> SigningKeyPair:
    """Derive a key pair from `text`, any secret text: its seed is HKDF-SHA256 of it (RFC 5869)."""
    seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(text.encode())
    private = Ed25519PrivateKey.from_private_bytes(seed)
    raw = private.public_key().public_bytes_raw()
    return SigningKeyPair(key_id_of(raw), base64.b64encode(raw).decode(), private)


def configured_key() -> SigningKeyPair:
    """Return the key pair derived from AUDIT_SIGNING_KEY."""
    return key_pair(settings.AUDIT_SIGNING_KEY)


def key_id_of(raw: bytes) -> str:
    """Return the id of a public key, given its 32 bytes."""
    return hashlib.sha256(raw).hexdigest()[:16]


def is_signed(public_key: str, message: bytes, signature: str) -> bool:
    """Return whether `signature` on `message` is valid for `public_key`; False also for invalid base64."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        key.verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def head_message(*, org_id: str, sequence: int, hash: str, at: datetime) -> bytes:
    """Return the message of a checkpoint: at `at`, the chain ended with row `sequence` and its `hash`."""
    return _message(CHECKPOINT_FORMAT, workspace=org_id, sequence=sequence, hash=hash, at=instant(at))


def cut_message(*, org_id: str, sequence: int, hash: str, at: datetime, rows: int) -> bytes:
    """Return the message of a cut: at `at`, `rows` rows up to `sequence`, the last with `hash`, were pruned."""
    return _message(CUT_FORMAT, workspace=org_id, sequence=sequence, hash=hash, at=instant(at), rows=rows)


def key_message(*, key_id: str, public_key: str, since: datetime, announced_by: str) -> bytes:
    """Return the announcement of a key, valid from `since`; `announced_by` is empty for the first key."""
    return _message(KEY_FORMAT, key_id=key_id, public_key=public_key, since=instant(since), announced_by=announced_by)


def _message(statement: str, **facts: Any) -> bytes:
    return canonical({"format": statement, **facts})
