"""Which signatures count: those by the keys that were trusted beforehand, and by keys that these announced."""

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
    """The keys that may sign. Grows by announcements of keys that are in it already, and in no other way."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._unannounced: list[Key] = []

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._keys

    def anchor(self, public_key: str) -> str:
        """Trust `public_key` (base64 of 32 bytes) from the start; its id. ValueError where it is none."""
        raw = base64.b64decode(public_key, validate=True)
        Ed25519PublicKey.from_public_bytes(raw)
        key_id = key_id_of(raw)
        self._keys[key_id] = public_key
        return key_id

    def learn(self, key: Key) -> None:
        """Trust `key` too, at once or later, if a trusted key announced it. Nothing happens otherwise."""
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
        """Why the signature does not count; empty where it does."""
        public_key = self._keys.get(checkpoint.key_id)
        if public_key is None:
            return (
                f"it is signed with the key {checkpoint.key_id}, which is not trusted and was announced by none that is"
            )
        message = checkpoint.message()
        if message is None or not is_signed(public_key, message, checkpoint.signature):
            return f"its signature is not one by the key {checkpoint.key_id} that it names"
        return ""

    def _is_announced(self, key: Key) -> bool:
        announcer, message = self._keys.get(key.announced_by), key.message()
        if announcer is None or message is None or not is_signed(announcer, message, key.signature):
            return False
        return is_key(key)


def is_key(key: Key) -> bool:
    """Whether the key is one, under its right name."""
    try:
        raw = base64.b64decode(key.public_key, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == 32 and key_id_of(raw) == key.key_id


def is_first(key: Key) -> bool:
    """Whether this is a key that signed itself, as the first one does."""
    message = key.message()
    return (
        key.announced_by == ""
        and message is not None
        and is_key(key)
        and is_signed(key.public_key, message, key.signature)
    )


def trust_from_text(text: str) -> Trust:
    """The trust that a key file asks for: what `/audit/key` serves, or one public key as PEM.

    Of the former the first key is the anchor, and each other must be announced. Raises UnusableInputError.
    """
    trust = Trust()
    if text.lstrip().startswith("-----BEGIN"):
        trust.anchor(_raw_of_pem(text))
        return trust
    try:
        listed = json.loads(text)["keys"]
        keys = [key_of(each) for each in listed]
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableInputError(f"The key file is neither PEM nor what /audit/key serves: {error!r}") from None
    if not keys:
        raise UnusableInputError("The key file holds no key.")
    if not is_first(keys[0]):
        raise UnusableInputError(f"The first key of the key file, {keys[0].key_id}, is not signed by itself.")
    trust.anchor(keys[0].public_key)
    for key in keys[1:]:
        trust.learn(key)
        if key.key_id not in trust:
            raise UnusableInputError(f"The key {key.key_id} of the key file was announced by none before it.")
    return trust


def key_of(columns: dict[str, Any]) -> Key:
    """A key from the object that describes it. KeyError or TypeError where it does not."""
    texts = {name: columns[name] for name in ("key_id", "public_key", "since", "announced_by", "signature")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError("a key is described by texts")
    return Key(**texts)


def _raw_of_pem(text: str) -> str:
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableInputError(f"The key file holds no public key: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise UnusableInputError("The key file holds a public key, but not one of Ed25519.")
    return base64.b64encode(key.public_bytes_raw()).decode()
