"""What a token's secret looks like at rest: as `mcpbridge.redaction.patterns` knows it, and as storage wraps it.

Found are a token as `token_shape` knows it, cut short down to half of its secret; a dash or the like in place of the
last underscore; in UTF-16; and in what Django's signing makes, such as a session. Not found is a secret that stands
alone, without the public part or “Bearer” in front of it: nothing tells it from any other 32 letters and digits.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from mcpbridge.redaction.patterns import is_suspect_data, tokens_in

# Half a secret is a leak; less could be the beginning of an ordinary word behind a prefix.
_LEAST = 16
_LARGEST_INFLATED = 4 * 1024 * 1024

_OTHER_MARK = re.compile(
    rf"hsk_(?P<env>live|test)_(?P<prefix>[0-9a-z]{{12}})[-.:~](?P<secret>[0-9a-z]{{{_LEAST},32}})", re.IGNORECASE
)
# Without the public part: as somebody's header has it who pasted the secret alone.
_BEARER = re.compile(r"bearer(?:%20|[\s:=\"'+])++([0-9a-z]{32})(?![0-9a-z])", re.IGNORECASE | re.ASCII)
_SIGNED = re.compile(r"(?<![\w-])\.eJ[0-9A-Za-z_-]{16,}", re.ASCII)


class _Sign(NamedTuple):
    """One secret: where it begins in the text, and what may be said of it."""

    at: int
    said: str


def is_suspect(data: bytes) -> bool:
    """Whether it is worth looking closely; costs little, and is True for whatever `secrets_in` would find."""
    return b".eJ" in data or is_suspect_data(data)


def secrets_in(data: bytes) -> Iterator[tuple[int, str]]:
    """Where in `data` a secret begins, and what may be said of it: the token's public part, and how it is wrapped."""
    # Whatever is no UTF-8 becomes one character a byte, so that places can be told in bytes again.
    text = data.decode("utf-8", "surrogateescape")
    at_text = at_bytes = 0
    for sign in sorted([*_plain(text), *_signed(text)]):
        at_bytes += len(text[at_text : sign.at].encode("utf-8", "surrogateescape"))
        at_text = sign.at
        yield at_bytes, sign.said


def inflated(data: bytes) -> bytes:
    """What zlib made `data` of, as far as it goes and no further than four megabytes."""
    try:
        return zlib.decompressobj().decompress(data, _LARGEST_INFLATED)
    except zlib.error:
        return b""


def _plain(text: str) -> Iterator[_Sign]:
    for found in tokens_in(text):
        if len(found.secret) >= _LEAST and not _is_placeholder(found.secret):
            wrapping = (
                ", in base64" if found.is_encoded else ", in UTF-16" if "\x00" in text[found.start : found.end] else ""
            )
            yield _Sign(found.start, f"hsk_{found.env.lower()}_{found.prefix}_••••{wrapping}")
    for match in _OTHER_MARK.finditer(text):
        if not _is_placeholder(match["secret"]):
            yield _Sign(match.start(), f"hsk_{match['env'].lower()}_{match['prefix']}_••••")
    for match in _BEARER.finditer(text):
        if not _is_placeholder(match[1]):
            yield _Sign(match.start(), "32 signs behind “Bearer”")


def _is_placeholder(secret: str) -> bool:
    """Such as xxxx… and 0000…"""
    return len(set(secret)) <= 2


def _signed(text: str) -> Iterator[_Sign]:
    for match in _SIGNED.finditer(text):
        opened = inflated(_from_base64(match[0][1:])).decode("utf-8", "replace")
        for sign in _plain(opened):
            yield _Sign(match.start(), f"{sign.said}, in a signed value")
            break


def _from_base64(text: str) -> bytes:
    whole = text[: len(text) // 4 * 4] if len(text) % 4 == 1 else text + "=" * (-len(text) % 4)
    try:
        return base64.urlsafe_b64decode(whole)
    except binascii.Error:
        return b""
