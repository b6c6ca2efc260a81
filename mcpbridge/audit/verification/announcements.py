"""Announcements of signing keys: who signed them, and for what (`docs/audit-format.md`, section 8)."""

import base64
import binascii
import hashlib
from typing import Any

from mcpbridge.audit.signing import is_signed, key_id_of
from mcpbridge.audit.tree.encoding import from_base64
from mcpbridge.audit.tree.errors import FormatError
from mcpbridge.audit.tree.statements import KEY_FORMAT
from mcpbridge.audit.verification.records import Key

SIGNING, RECOVERY = "signing", "recovery"


def fingerprint_of(public_key: str) -> str:
    """Return the fingerprint of a public key (base64 of 32 bytes): their whole SHA-256, in hexadecimal."""
    return hashlib.sha256(base64.b64decode(public_key, validate=True)).hexdigest()


def is_key(key: Key) -> bool:
    """Return whether the public key is valid and matches its id."""
    try:
        raw = base64.b64decode(key.public_key, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == 32 and key_id_of(raw) == key.key_id


def is_first(key: Key) -> bool:
    """Return whether the key is self-signed, as the first one is."""
    return key.announced_by == "" and is_key(key) and is_announced_by(key.public_key, key)


def is_announced_by(public_key: str, key: Key) -> bool:
    """Return whether `public_key` signed the announcement of `key`."""
    return _is_by(public_key, key, key.signature)


def is_countersigned(key: Key) -> bool:
    """Return whether the key itself signed its announcement, too."""
    return _is_by(key.public_key, key, key.countersignature)


def is_from_before(key: Key) -> bool:
    """Return whether the announcement may lack the countersignature, as those of earlier releases do."""
    return not key.use and not key.countersignature


def is_recovery(key: Key) -> bool:
    """Return whether the key is one that announces another one when the signing key is lost."""
    return key.use == RECOVERY


def key_of(columns: Any) -> Key:
    """Build a key from a JSON object of either format. Raises KeyError or TypeError."""
    if not isinstance(columns, dict):
        raise TypeError("a key is not an object")
    form = columns.get("format")
    names = ("public_key", "since", "signature", *(("predecessor", "use") if form else ("key_id", "announced_by")))
    texts = {name: columns[name] for name in names}
    texts["countersignature"] = columns.get("countersignature", "")
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError("a field of the key is not a text")
    if not form:
        return Key(**texts)
    if form != KEY_FORMAT or texts["use"] not in (SIGNING, RECOVERY):
        raise TypeError("its format or use is unknown")
    key_id = _id_of(texts["public_key"])
    if columns.get("key_id", key_id) != key_id:
        # It is never trusted, because its id is not that of its bytes.
        key_id = ""
    return Key(key_id=key_id, announced_by=_id_of(texts["predecessor"]), **texts)


def _id_of(public_key: str) -> str:
    try:
        return key_id_of(from_base64(public_key, size=32))
    except FormatError:
        return ""


def _is_by(public_key: str, key: Key, signature: str) -> bool:
    message = key.message()
    return message is not None and is_signed(public_key, message, signature)
