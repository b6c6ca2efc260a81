"""Signed notes (C2SP signed-note) and cosignatures (C2SP tlog-cosignature), read strictly.

A note is a text that ends in a newline, an empty line, and lines `— <key name> <base64 of key id and signature>`. A
note is at most 64 KiB and 64 lines. A verifier key is `<name>+<key id, 8 hex digits>+<base64 of type and key>`.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mcpbridge.audit.tree.encoding import from_base64, to_base64
from mcpbridge.audit.tree.errors import FormatError, ProofError

ED25519, COSIGNATURE = 0x01, 0x04
MOST_BYTES, MOST_LINES = 64 * 1024, 64
_KEY_ID, _KEY, _SIGNATURE, _TIME = 4, 32, 64, 8
_LINE = re.compile("\u2014 (\\S+) (\\S+)")
_VKEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+(\S+)")
_FORBIDDEN = re.compile(r"[\x00-\x09\x0b-\x1f]")


class Signer(Protocol):
    """An Ed25519 key pair, such as `mcpbridge.audit.signing.SigningKeyPair`."""

    @property
    def public_key(self) -> str:
        """Return the base64 of the 32 bytes."""

    def sign(self, message: bytes) -> str:
        """Return the base64 of the signature."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named public key: `kind` is ED25519 or COSIGNATURE, `public_key` 32 bytes."""

    name: str
    public_key: bytes
    kind: int = ED25519

    def __post_init__(self) -> None:
        """Refuse a name or key that no verifier key can have. Raises FormatError."""
        if not is_key_name(self.name):
            raise FormatError("it is not the name of a key")
        if self.kind not in (ED25519, COSIGNATURE) or len(self.public_key) != _KEY:
            raise FormatError("it is not an Ed25519 key")

    @property
    def key_id(self) -> bytes:
        """Return the 4 bytes that find the line of this key; no fingerprint, because collisions are easily made."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public_key).digest()[:_KEY_ID]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{to_base64(bytes([self.kind]) + self.public_key)}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read a verifier key. Raises FormatError."""
        found = _VKEY.fullmatch(text)
        if found is None:
            raise FormatError("it is not a verifier key")
        data = from_base64(found[3])
        key = cls(found[1], data[1:], data[0] if data else 0)
        if key.key_id.hex() != found[2]:
            raise FormatError("the verifier key has another key id")
        return key

    def verify(self, text: str, signature: bytes) -> None:
        """Raise ProofError unless `signature` (of a cosignature with its time) is by this key over the note's text."""
        message = text.encode()
        if self.kind == COSIGNATURE:
            if len(signature) != _TIME + _SIGNATURE:
                raise ProofError(f"the cosignature of {self.name} is not valid")
            message = _cosigned(text, cosigned_at(signature))
        try:
            key = Ed25519PublicKey.from_public_bytes(self.public_key)
            key.verify(signature[-_SIGNATURE:] if self.kind == COSIGNATURE else signature, message)
        except (InvalidSignature, ValueError):
            raise ProofError(f"the signature of {self.name} is not valid") from None


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """A signature line of a note; `signature` are the bytes behind the key id."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"\u2014 {self.name} {to_base64(self.key_id + self.signature)}\n"

    @classmethod
    def parse(cls, line: str) -> "SignatureLine":
        """Read a signature line without its newline. Raises FormatError."""
        found = _LINE.fullmatch(line)
        if found is None or not is_key_name(found[1]):
            raise FormatError("a signature line of the note is malformed")
        data = from_base64(found[2])
        if len(data) <= _KEY_ID:
            raise FormatError("a signature of the note is too short")
        return cls(found[1], data[:_KEY_ID], data[_KEY_ID:])


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note, of which nothing is verified. `text` ends in a newline and is what is signed."""

    text: str
    lines: tuple[SignatureLine, ...]

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.lines))}"

    def signatures(self, keys: Iterable[VerifierKey]) -> dict[VerifierKey, bytes]:
        """Return the valid signatures of these keys; lines of unknown keys are ignored.

        Raises ProofError if a line of one of these keys is not valid.
        """
        found: dict[VerifierKey, bytes] = {}
        for key in keys:
            for line in self.lines:
                if (line.name, line.key_id) == (key.name, key.key_id):
                    key.verify(self.text, line.signature)
                    found.setdefault(key, line.signature)
        return found


def is_key_name(name: str) -> bool:
    """Return whether a key may have this name: not empty, no space, no plus sign, no control character."""
    return bool(name) and "+" not in name and name.isprintable() and not any(each.isspace() for each in name)


def parse_note(data: bytes | str) -> Note:
    """Read a note. Raises FormatError."""
    raw = data.encode() if isinstance(data, str) else data
    if len(raw) > MOST_BYTES or raw.count(b"\n") > MOST_LINES:
        raise FormatError("the note is too long")
    try:
        whole = raw.decode()
    except UnicodeDecodeError:
        raise FormatError("the note is not UTF-8") from None
    if _FORBIDDEN.search(whole):
        raise FormatError("the note has a control character")
    text, divider, lines = whole.rpartition("\n\n")
    if not divider or not lines.endswith("\n"):
        raise FormatError("the note has no signature lines")
    return Note(f"{text}\n", tuple(SignatureLine.parse(line) for line in lines[:-1].split("\n")))


def open_note(data: bytes | str, key: VerifierKey, *, others: Sequence[VerifierKey] = ()) -> Note:
    """Return the note if it is signed by `key`, and no line of `others` is wrong. Raises FormatError and ProofError."""
    note = parse_note(data)
    if key not in note.signatures([key, *others]):
        raise ProofError(f"the note is not signed by {key.name}")
    return note


def key_named(name: str, signer: Signer, *, kind: int = ED25519) -> VerifierKey:
    """Return the verifier key of a key pair under a name."""
    return VerifierKey(name, from_base64(signer.public_key, size=_KEY), kind)


def signature_line(text: str, *, name: str, signer: Signer) -> SignatureLine:
    """Sign the text of a note, which ends in a newline, as `name`."""
    return SignatureLine(name, key_named(name, signer).key_id, from_base64(signer.sign(text.encode()), size=_SIGNATURE))


def cosignature_line(text: str, *, name: str, signer: Signer, seconds: int) -> SignatureLine:
    """Cosign the text of a checkpoint as `name`, at `seconds` since 1970 (cosignature/v1)."""
    signature = from_base64(signer.sign(_cosigned(text, seconds)), size=_SIGNATURE)
    key_id = key_named(name, signer, kind=COSIGNATURE).key_id
    return SignatureLine(name, key_id, seconds.to_bytes(_TIME, "big") + signature)


def cosigned_at(signature: bytes) -> int:
    """Return the time of a cosignature, in seconds since 1970."""
    return int.from_bytes(signature[:_TIME], "big")


def _cosigned(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()
