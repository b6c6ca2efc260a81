"""Read what users give to say whom they trust: fingerprints, verifier keys, PEM and files from `/audit/key`."""

import base64
import json
import re
from collections.abc import Iterable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from mcpbridge.audit.tree.errors import FormatError
from mcpbridge.audit.tree.notes import COSIGNATURE, ED25519, VerifierKey
from mcpbridge.audit.verification.announcements import (
    fingerprint_of,
    is_announced_by,
    is_countersigned,
    is_first,
    is_from_before,
    is_key,
    key_of,
)
from mcpbridge.audit.verification.findings import UnusableInputError
from mcpbridge.audit.verification.records import Key
from mcpbridge.audit.verification.trust import Trust

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def parsed_fingerprint(text: str) -> str:
    """Return a fingerprint as 64 hexadecimal digits in lower case. Raises UnusableInputError."""
    made = "".join(text.split()).replace(":", "").lower()
    if not _FINGERPRINT.fullmatch(made):
        raise UnusableInputError("A fingerprint is the whole SHA-256 of a public key: 64 hexadecimal digits.")
    return made


def trust_from_text(text: str, fingerprint: str = "", *, vkey: str = "", witnesses: Iterable[str] = ()) -> Trust:
    """Build the trusted keys from a key file, and the fingerprint or verifier key of one of its keys.

    The file is the JSON of `/audit/key`, which needs a fingerprint, or one public key as PEM. It may be empty if the
    export contains the keys. `witnesses` are the verifier keys of those that must have cosigned. Raises
    UnusableInputError.
    """
    fingerprint = parsed_fingerprint(fingerprint) if fingerprint else ""
    trust = Trust(fingerprint, witnesses=[_verifier_key(each, COSIGNATURE) for each in witnesses])
    if vkey:
        _anchor_verifier_key(trust, vkey, fingerprint)
    if text.lstrip().startswith("-----BEGIN"):
        public_key = _raw_of_pem(text)
        if fingerprint and fingerprint_of(public_key) != fingerprint:
            raise UnusableInputError("The public key in the key file has another fingerprint than the given one.")
        trust.anchor(public_key)
        return trust
    if not fingerprint and not vkey:
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


def _anchor_verifier_key(trust: Trust, vkey: str, fingerprint: str) -> None:
    key = _verifier_key(vkey, ED25519)
    public_key = base64.b64encode(key.public_key).decode()
    if fingerprint not in ("", fingerprint_of(public_key)):
        raise UnusableInputError("The verifier key and the fingerprint are of two keys.")
    trust.origin = key.name
    trust.anchor(public_key)


def _verifier_key(text: str, kind: int) -> VerifierKey:
    try:
        key = VerifierKey.parse(text.strip())
    except FormatError as error:
        raise UnusableInputError(f"This is not a verifier key: {error}.") from None
    if key.kind != kind:
        raise UnusableInputError("The verifier key of a log is given as that of a witness, or the other way round.")
    return key


def _keys_of(text: str) -> list[Key]:
    """Return the keys of a file from /audit/key. Raises UnusableInputError."""
    try:
        keys = [key_of(each) for each in json.loads(text)["keys"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnusableInputError(f"The key file is neither PEM nor a file from /audit/key: {error!r}") from None
    if not keys:
        raise UnusableInputError("The key file contains no key.")
    if not is_first(keys[0]):
        raise UnusableInputError(f"The first key of the key file, {keys[0].key_id}, does not sign itself.")
    for number, key in enumerate(keys):
        if not _is_announced(key, keys[:number]):
            raise UnusableInputError(f"The key file's key {key.key_id} was not announced by one before it.")
    return keys


def _is_announced(key: Key, before: list[Key]) -> bool:
    if not key.announced_by:
        # The first key signs itself, and so does one after a lost key.
        return is_first(key)
    if not is_key(key) or not (is_countersigned(key) or is_from_before(key)):
        return False
    return any(each.key_id == key.announced_by and is_announced_by(each.public_key, key) for each in before)


def _raw_of_pem(text: str) -> str:
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableInputError(f"The key file contains no public key: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise UnusableInputError("The key file contains a public key that is not Ed25519.")
    return base64.b64encode(key.public_bytes_raw()).decode()
