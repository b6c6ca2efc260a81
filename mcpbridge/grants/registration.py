"""Register assistants without storing them (RFC 7591): the client_id itself is the signed registration.

    hse_d1_<base64url( method 1 | time 4 | name length 1 | name | digests 16 each | MAC 16 )>

It is public and grants nothing. The digests are those of the redirect addresses. A client secret is derived from the
client_id, so it is not stored either. Taking a sealing key away ends the registrations that it signed.
"""

import base64
import hashlib
import hmac
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.grants import config, keys
from mcpbridge.grants.redirects import RULE, is_acceptable, without_port

MAX_REDIRECTS = 10
MAX_NAME_BYTES = 40
_MAC_LENGTH = _DIGEST_LENGTH = 16
_HEAD = struct.Struct(">BIB")
_SHAPE = re.compile(r"hse_d1_([A-Za-z0-9_-]{1,400})", re.ASCII)


class Method(IntEnum):
    """How a registered client proves who it is at the token endpoint."""

    NONE = 0
    # Sent by Basic authentication or in the form; either is accepted.
    SECRET = 1


class NoRedirectError(Exception):
    """None of the redirect addresses is acceptable. The text says which are."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What a client_id of ours says."""

    client_id: str
    method: Method
    registered_at: int
    name: str
    redirects: tuple[bytes, ...]

    def has_redirect(self, address: str) -> bool:
        """Return whether `address` was registered; the port of a loopback address may differ."""
        return _digest(address) in self.redirects


def register(*, name: str, redirects: Sequence[str], method: Method, now: float) -> tuple[Registration, list[str]]:
    """Return a registration, and the acceptable ones among `redirects`, at most ten; the others are left out.

    Raises NoRedirectError if none is acceptable.
    """
    accepted = list(dict.fromkeys(each for each in redirects if is_acceptable(each)))[:MAX_REDIRECTS]
    if not accepted:
        raise NoRedirectError(f"None of the redirect_uris is acceptable. {RULE}")
    shown = _short(name)
    digests = tuple(dict.fromkeys(_digest(each) for each in accepted))
    text = _HEAD.pack(method, int(now), len(shown)) + shown + b"".join(digests)
    client_id = "hse_d1_" + _encoded(text + _mac(_signing_keys()[0], text))
    return Registration(client_id, method, int(now), shown.decode(), digests), accepted


def read_registration(client_id: str) -> Registration | None:
    """Return what `client_id` says; None unless this console signed it."""
    shape = _SHAPE.fullmatch(client_id)
    if shape is None:
        return None
    data = base64.urlsafe_b64decode(shape[1] + "=" * (-len(shape[1]) % 4)) if len(shape[1]) % 4 != 1 else b""
    text, mac = data[:-_MAC_LENGTH], data[-_MAC_LENGTH:]
    if len(text) < _HEAD.size or _encoded(data) != shape[1]:
        return None
    if not any(hmac.compare_digest(mac, _mac(key, text)) for key in _signing_keys()):
        return None
    method, at, length = _HEAD.unpack_from(text)
    name, rest = text[_HEAD.size : _HEAD.size + length], text[_HEAD.size + length :]
    digests = tuple(rest[start : start + _DIGEST_LENGTH] for start in range(0, len(rest), _DIGEST_LENGTH))
    return Registration(client_id, Method(method), at, name.decode(), digests)


def client_secret(client_id: str) -> str:
    """Return the secret of a client that was registered with one."""
    return _secret(keys.mac_keys("client secret")[0], client_id)


def is_client_secret(client_id: str, said: str) -> bool:
    """Return whether `said` is the secret of the client, in constant time."""
    offered = said.encode()
    return any(hmac.compare_digest(_secret(key, client_id).encode(), offered) for key in keys.mac_keys("client secret"))


def _secret(key: bytes, client_id: str) -> str:
    return _encoded(hmac.new(key, client_id.encode(), hashlib.sha256).digest())


def _signing_keys() -> tuple[bytes, ...]:
    return keys.mac_keys("client id")


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, b"hse_d1_" + config.issuer().encode() + b"\0" + text, hashlib.sha256).digest()[:_MAC_LENGTH]


def _digest(address: str) -> bytes:
    return hashlib.sha256(without_port(address).encode()).digest()[:_DIGEST_LENGTH]


def _short(name: str) -> bytes:
    """Return the name as shown on pages, in at most 40 bytes of UTF-8."""
    cut = sanitize_text(" ".join(name.split()), MAX_NAME_BYTES).encode()[:MAX_NAME_BYTES]
    return cut.decode(errors="ignore").encode()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
