"""A line of trusted keys: those given beforehand, and the keys before and after them.

A key announces one next key, and the new key signs the same announcement, so that one known key
is enough to find all others.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from mcpbridge.audit.signing import is_signed, key_id_of
from mcpbridge.audit.verification.findings import FindingKind, UnusableInputError
from mcpbridge.audit.verification.records import Checkpoint, Key

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class Trust:
    """The trusted keys, as a line. Besides the keys given, it grows only by announcements that lead to or from them."""

    def __init__(self, fingerprint: str = "") -> None:
        """`fingerprint` is that of a key which is trusted as soon as it is seen. Raises UnusableInputError."""
        self._fingerprint = parsed_fingerprint(fingerprint) if fingerprint else ""
        self._given: dict[str, str] = {}
        self._known: list[Key] = []
        self._line: dict[str, str] = {}
        self._successors: dict[str, str] = {}
        self._is_current = True

    def __contains__(self, key_id: str) -> bool:
        self._follow()
        return key_id in self._line

    @property
    def is_empty(self) -> bool:
        """Return whether no key is trusted yet."""
        return not self._given

    def anchor(self, public_key: str) -> str:
        """Trust `public_key` (base64 of 32 bytes) and return its id. Raises ValueError if it is not a key."""
        raw = base64.b64decode(public_key, validate=True)
        Ed25519PublicKey.from_public_bytes(raw)
        key_id = key_id_of(raw)
        self._given[key_id] = public_key
        self._is_current = False
        return key_id

    def learn(self, key: Key) -> None:
        """Take the announcement of a key into account, now and whenever another key becomes trusted."""
        if key in self._known or not is_key(key):
            return
        self._known.append(key)
        if self._fingerprint and fingerprint_of(key.public_key) == self._fingerprint:
            self._given[key.key_id] = key.public_key
        self._is_current = False

    def fault(self, checkpoint: Checkpoint) -> tuple[FindingKind, str] | None:
        """Return what is wrong with the signature; None if it is valid."""
        self._follow()
        public_key = self._line.get(checkpoint.key_id)
        if public_key is None:
            reason = f"it is signed with the key {checkpoint.key_id}, which is not in the line of the trusted key"
            return FindingKind.UNKNOWN_KEY, reason
        message = checkpoint.message()
        if message is None or not is_signed(public_key, message, checkpoint.signature):
            return FindingKind.WRONG_KEY, f"its signature is not by the key {checkpoint.key_id} that it names"
        return None

    def predecessors(self, key_id: str) -> Iterator[str]:
        """Yield the keys of the line before this one, the nearest first."""
        self._follow()
        before = {later: earlier for earlier, later in self._successors.items()}
        while (key_id := before.pop(key_id, "")) != "":
            yield key_id

    def next_key(self, key_id: str) -> str:
        """Return the key that follows this one, or an empty text."""
        self._follow()
        return self._successors.get(key_id, "")

    def _follow(self) -> None:
        """Build the line, if a key came since: back from each given key, then forward from its ends."""
        if self._is_current:
            return
        self._is_current = True
        self._line, self._successors = dict(self._given), {}
        for key_id in self._given:
            self._go_back(key_id)
        ends = [key_id for key_id in self._line if key_id not in self._successors]
        while ends:
            announcer = ends.pop()
            after = {key.key_id: key for key in self._known if self._is_announced_by(key, announcer)}
            # Of two next keys one was announced with a stolen key, and the keys do not tell which.
            if len(after) == 1:
                (key,) = after.values()
                self._successors[announcer] = key.key_id
                if key.key_id not in self._line:
                    self._line[key.key_id] = key.public_key
                    ends.append(key.key_id)

    def _go_back(self, key_id: str) -> None:
        while (earlier := next(self._before(key_id), None)) is not None and earlier.key_id not in self._line:
            self._line[earlier.key_id] = earlier.public_key
            self._successors[earlier.key_id] = key_id
            key_id = earlier.key_id

    def _before(self, key_id: str) -> Iterator[Key]:
        """Yield the keys that announced this one, if this one signed the announcement, too."""
        for key in self._known:
            if key.key_id != key_id or key.public_key != self._line[key_id] or not is_countersigned(key):
                continue
            for earlier in self._known:
                if earlier.key_id == key.announced_by and _signed_by(earlier.public_key, key, key.signature):
                    yield earlier

    def _is_announced_by(self, key: Key, announcer: str) -> bool:
        if key.announced_by != announcer or key.key_id == announcer:
            return False
        # Announcements of earlier releases have one signature only.
        if key.countersignature and not is_countersigned(key):
            return False
        return _signed_by(self._line[announcer], key, key.signature)


def _signed_by(public_key: str, key: Key, signature: str) -> bool:
    message = key.message()
    return message is not None and is_signed(public_key, message, signature)


def is_countersigned(key: Key) -> bool:
    """Return whether the key itself signed its announcement, too."""
    return _signed_by(key.public_key, key, key.countersignature)


def is_key(key: Key) -> bool:
    """Return whether the public key is valid and matches its id."""
    try:
        raw = base64.b64decode(key.public_key, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == 32 and key_id_of(raw) == key.key_id


def is_first(key: Key) -> bool:
    """Return whether the key is self-signed, as the first one is."""
    return key.announced_by == "" and is_key(key) and _signed_by(key.public_key, key, key.signature)


def fingerprint_of(public_key: str) -> str:
    """Return the fingerprint of a public key (base64 of 32 bytes): their whole SHA-256, in hexadecimal."""
    return hashlib.sha256(base64.b64decode(public_key, validate=True)).hexdigest()


def parsed_fingerprint(text: str) -> str:
    """Return a fingerprint as 64 hexadecimal digits in lower case. Raises UnusableInputError."""
    made = "".join(text.split()).replace(":", "").lower()
    if not _FINGERPRINT.fullmatch(made):
        raise UnusableInputError("A fingerprint is the whole SHA-256 of a public key: 64 hexadecimal digits.")
    return made


def trust_from_text(text: str, fingerprint: str = "") -> Trust:
    """Build the trusted keys from a key file and the fingerprint of one of its keys.

    The file is the JSON of `/audit/key`, which needs a fingerprint, or one public key as PEM. It may be empty if the
    export contains the keys. Raises UnusableInputError.
    """
    trust = Trust(fingerprint)
    if text.lstrip().startswith("-----BEGIN"):
        public_key = _raw_of_pem(text)
        if fingerprint and fingerprint_of(public_key) != parsed_fingerprint(fingerprint):
            raise UnusableInputError("The public key in the key file has another fingerprint than the given one.")
        trust.anchor(public_key)
        return trust
    if not fingerprint:
        raise UnusableInputError(
            "Give the fingerprint of a key that you trust with --fingerprint: keys that come from the operator prove"
            " nothing alone."
        )
    if not text:
        return trust
    for key in _keys_of(text):
        trust.learn(key)
    if trust.is_empty:
        raise UnusableInputError("No key of the key file has the given fingerprint.")
    return trust


def _keys_of(text: str) -> list[Key]:
    """Return the keys of a file from /audit/key. Raises UnusableInputError."""
    try:
        keys = [key_of(each) for each in json.loads(text)["keys"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableInputError(f"The key file is neither PEM nor a file from /audit/key: {error!r}") from None
    if not keys:
        raise UnusableInputError("The key file contains no key.")
    if not is_first(keys[0]):
        raise UnusableInputError(f"The first key of the key file, {keys[0].key_id}, does not sign itself.")
    forward = Trust()
    forward.anchor(keys[0].public_key)
    for key in keys[1:]:
        forward.learn(key)
        if key.key_id not in forward:
            raise UnusableInputError(f"The key file's key {key.key_id} was not announced by one before it.")
    return keys


def key_of(columns: dict[str, Any]) -> Key:
    """Build a key from a JSON object. Raises KeyError or TypeError."""
    texts = {name: columns[name] for name in ("key_id", "public_key", "since", "announced_by", "signature")}
    texts["countersignature"] = columns.get("countersignature", "")
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
