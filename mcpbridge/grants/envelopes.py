"""Seal a Hoursmith token into an envelope that only this console can open, and open it.

    hse_<kind>1_<base64url( key id 4 | nonce 12 | ciphertext | tag 16 )>

AES-256-GCM-SIV (RFC 8452); `keys` derives one key per kind, and kind, key id and issuer are authenticated too, so that
an envelope of one kind or console is never one of another. The plaintext is packed, big-endian:

    env 1 | prefix 12 | secret 32 | expiry 4 | grant 9 | generation 2 | flags 1 | bound | connection 0 or 12

`bound` has a fixed length for each kind; see `Code` and `Refresh`. Opened envelopes are never cached.
"""

import base64
import os
import re
import struct
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum
from typing import NamedTuple

from cryptography.exceptions import InvalidTag

from mcpbridge.core.credential import Credential
from mcpbridge.grants import config, keys

DIGEST_LENGTH = 16
_ENVS = {b"l": "live", b"t": "test"}
_HEAD = struct.Struct(">c12s32sI9sHB")
_SLUG_LENGTH = 12
_NONCE_LENGTH, _TAG_LENGTH = 12, 16
_SHAPE = re.compile(r"hse_([acrp])1_([A-Za-z0-9_-]{1,12000})", re.ASCII)


class Kind(StrEnum):
    """The kinds of envelopes."""

    ACCESS = "a"
    REFRESH = "r"
    CODE = "c"
    # The token between the two authorization pages.
    PENDING = "p"


class Flags(IntFlag):
    """What an envelope allows, and which address of ours it was asked for (RFC 8707)."""

    NONE = 0
    READ_ONLY = 1
    # The requested resource: /mcp[/c/<connection>][/readonly].
    RESOURCE_READ_ONLY = 2
    RESOURCE_CONNECTION = 4


class Code(NamedTuple):
    """What a code is bound to: its own id, and digests of client, redirect and PKCE challenge."""

    code_id: bytes
    client: bytes
    redirect: bytes
    challenge: bytes


_CODE = struct.Struct(">16s16s16s32s")
_BEGINNINGS = {kind: f"hse_{kind}1_".encode() for kind in Kind}
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# Which characters may be the last, by the length modulo 4: the bits that they have to spare are zero.
_LAST = (_BASE64, "", _BASE64[::16], _BASE64[::4])
_BOUND_LENGTHS = {Kind.ACCESS: 0, Kind.REFRESH: DIGEST_LENGTH, Kind.CODE: _CODE.size}


class Sealed:
    """The text of an envelope. It never prints; `reveal` it only into the response to its holder."""

    __slots__ = ("_kind", "_text")

    def __init__(self, kind: Kind, text: str) -> None:
        self._kind = kind
        self._text = text

    def __repr__(self) -> str:
        return f"hse_{self._kind}1_••••"

    def reveal(self) -> str:
        """Return the envelope itself."""
        return self._text


@dataclass(slots=True)
class Envelope:
    """The contents of an envelope, kept for one request only."""

    kind: Kind
    credential: Credential
    # Seconds since 1970.
    expires_at: int
    grant: str
    generation: int = 0
    flags: Flags = Flags.NONE
    # The id of the grant's connection; empty if it has none yet.
    connection: str = ""
    bound: bytes = field(default=b"", repr=False)

    def is_expired(self, now: float) -> bool:
        """Return whether the envelope has expired at `now`, in seconds since 1970."""
        return now >= self.expires_at

    @property
    def is_read_only(self) -> bool:
        return Flags.READ_ONLY in self.flags

    @property
    def code(self) -> Code:
        """Return what a code is bound to."""
        return Code(*_CODE.unpack(self.bound))


def bound_to(code: Code) -> bytes:
    """Return `code` as the `bound` bytes of its envelope."""
    return _CODE.pack(*code)


def new_grant_id() -> str:
    """Return a new random grant id: 12 characters, of which an envelope holds the 9 bytes."""
    return base64.urlsafe_b64encode(os.urandom(9)).decode()


def seal(envelope: Envelope) -> Sealed:
    """Seal `envelope`. The settings must have a sealing key."""
    key_id, cipher = keys.ciphers(envelope.kind)[0]
    nonce = os.urandom(_NONCE_LENGTH)
    sealed = cipher.encrypt(nonce, _packed(envelope), _authenticated(envelope.kind, key_id))
    text = base64.urlsafe_b64encode(key_id + nonce + sealed).rstrip(b"=").decode()
    return Sealed(envelope.kind, f"hse_{envelope.kind}1_{text}")


def unseal(kind: Kind, text: str) -> Envelope | None:
    """Return the contents of the envelope `text`; None if it is not an envelope of `kind` that this console sealed.

    The caller checks `is_expired`.
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None or shape[1] != kind:
        return None
    data = _decoded(shape[2])
    key_id, nonce, sealed = data[:4], data[4:16], data[16:]
    if len(sealed) < _HEAD.size + _TAG_LENGTH:
        return None
    for each in keys.ciphers(kind):
        if each.key_id == key_id:
            try:
                return _unpacked(kind, each.aead.decrypt(nonce, sealed, _authenticated(kind, key_id)))
            except InvalidTag:
                return None
    return None


def _decoded(text: str) -> bytes:
    """Return the bytes in base64url; nothing if the text is not the one way to write them."""
    if text[-1] not in _LAST[len(text) % 4]:
        return b""
    return base64.urlsafe_b64decode(text + "==")


def _authenticated(kind: Kind, key_id: bytes) -> bytes:
    return _BEGINNINGS[kind] + key_id + config.issuer().encode()


def _packed(envelope: Envelope) -> bytes:
    credential = envelope.credential
    length = _BOUND_LENGTHS.get(envelope.kind)
    if length is not None and len(envelope.bound) != length:
        raise ValueError(f"An envelope of kind {envelope.kind} is bound to {length} bytes.")
    connection = envelope.connection.encode()
    if len(connection) not in (0, _SLUG_LENGTH) or (connection and length is None):
        raise ValueError("The id of the connection has another length.")
    head = _HEAD.pack(
        credential.env[:1].encode(),
        credential.prefix.encode(),
        credential.secret.encode(),
        envelope.expires_at,
        base64.urlsafe_b64decode(envelope.grant),
        envelope.generation,
        int(envelope.flags),
    )
    return head + envelope.bound + connection


def _unpacked(kind: Kind, data: bytes) -> Envelope | None:
    env, prefix, secret, expires_at, grant, generation, flags = _HEAD.unpack_from(data)
    rest = data[_HEAD.size :]
    length = _BOUND_LENGTHS.get(kind, len(rest))
    if len(rest) not in (length, length + _SLUG_LENGTH) or env not in _ENVS:
        return None
    return Envelope(
        kind=kind,
        credential=Credential(env=_ENVS[env], prefix=prefix.decode(), secret=secret.decode()),
        expires_at=expires_at,
        grant=base64.urlsafe_b64encode(grant).decode(),
        generation=generation,
        flags=Flags(flags),
        connection=rest[length:].decode(),
        bound=rest[:length],
    )
