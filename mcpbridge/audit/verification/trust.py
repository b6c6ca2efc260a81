"""Trusted keys: those given beforehand, and those that a trusted key announced."""

import base64
import binascii
import json
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from mcpbridge.audit.signing import is_signed, key_id_of
from mcpbridge.audit.verification.findings import UnusableInputError
from mcpbridge.audit.verification.records import Checkpoint, Key


class Trust:
    """A set of trusted keys, which grows only by announcements of its own keys."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._unannounced: list[Key] = []

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._keys

    def anchor(self, public_key: str) -> str:
        """Trust `public_key` (base64 of 32 bytes) and return its id. Raises ValueError if it is not a key."""
        raw = base64.b64decode(public_key, validate=True)
        Ed25519PublicKey.from_public_bytes(raw)
        key_id = key_id_of(raw)
        self._keys[key_id] = public_key
        return key_id

    def learn(self, key: Key) -> None:
        """Trust `key` if a trusted key announced it, now or as soon as the announcing key is trusted."""
        self._unannounced.append(key)
        found = True
        while found:
            found = False
            for each in list(self._unannounced):
                if self._is_announced(each):
                    self._unannounced.remove(each)
                    self.anchor(each.public_key)
                    found = True

    def fault(self, checkpoint: Checkpoint) -> str:
        """Return why the signature is invalid; empty if it is valid."""
        public_key = self._keys.get(checkpoint.key_id)
        if public_key is None:
            return f"it is signed with the key {checkpoint.key_id}, neither trusted nor announced by a trusted key"
        message = checkpoint.message()
        if message is None or not is_signed(public_key, message, checkpoint.signature):
            return f"its signature is not by the key {checkpoint.key_id} that it names"
        return ""

    def _is_announced(self, key: Key) -> bool:
        announcer, message = self._keys.get(key.announced_by), key.message()
        if announcer is None or message is None or not is_signed(announcer, message, key.signature):
            return False
        return is_key(key)


def is_key(key: Key) -> bool:
    """Return whether the public key is valid and matches its id."""
    try:
        raw = base64.b64decode(key.public_key, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == 32 and key_id_of(raw) == key.key_id


def is_first(key: Key) -> bool:
    """Return whether the key is self-signed, as the first one is."""
    message = key.message()
    return (
        key.announced_by == ""
        and message is not None
        and is_key(key)
        and is_signed(key.public_key, message, key.signature)
    )


def trust_from_text(text: str) -> Trust:
    """Build the trusted keys from a key file: the JSON of `/audit/key`, or one public key as PEM.

    In JSON the first key is trusted, and every other must be announced. Raises UnusableInputError.
    """
    trust = Trust()
    if text.lstrip().startswith("-----BEGIN"):
        trust.anchor(_raw_of_pem(text))
        return trust
    try:
        listed = json.loads(text)["keys"]
        keys = [key_of(each) for each in listed]
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableInputError(f"The key file is neither PEM nor a file from /audit/key: {error!r}") from None
    if not keys:
        raise UnusableInputError("The key file contains no key.")
    if not is_first(keys[0]):
        raise UnusableInputError(f"The first key of the key file, {keys[0].key_id}, does not sign itself.")
    trust.anchor(keys[0].public_key)
    for key in keys[1:]:
        trust.learn(key)
        if key.key_id not in trust:
            raise UnusableInputError(f"The key file's key {key.key_id} was not announced by one before it.")
    return trust


def key_of(columns: dict[str, Any]) -> Key:
    """Build a key from a JSON object. Raises KeyError or TypeError."""
    texts = {name: columns[name] for name in ("key_id", "public_key", "since", "announced_by", "signature")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError("a field of the key is not a text")
    return Key(**texts)


def _raw_of_pem(text: str) -> str:
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableInputError(f"The key file contains no public key: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise UnusableInputError("The key file contains a public key that is not Ed25519.")
    return base64.b64encode(key.public_bytes_raw()).decode()
