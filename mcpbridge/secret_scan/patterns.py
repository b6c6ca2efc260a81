"""Recognise token secrets in stored data, in addition to the patterns of `mcpbridge.redaction.patterns`.

Also found are a token truncated to half of its secret, with another separator instead of the last underscore, in
UTF-16, and in values that Django signed, such as sessions; and envelopes of assistants (`mcpbridge.grants`). Not found
is a bare secret without the token prefix or “Bearer” before it, because it looks like any other 32 letters and digits.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from mcpbridge.redaction.patterns import is_suspect_data, tokens_in

# Half a secret is a leak; less could be the beginning of an ordinary word after a prefix.
_LEAST = 16
_LARGEST_INFLATED = 4 * 1024 * 1024

_OTHER_MARK = re.compile(
    rf"hsk_(?P<env>live|test)_(?P<prefix>[0-9a-z]{{12}})[-.:~](?P<secret>[0-9a-z]{{{_LEAST},32}})", re.IGNORECASE
)
# Without the prefix, as in a header in which only the secret was pasted.
_BEARER = re.compile(r"bearer(?:%20|[\s:=\"'+])++([0-9a-z]{32})(?![0-9a-z])", re.IGNORECASE | re.ASCII)
# What an assistant that signed in holds, which the console must not keep; a client_id (`hse_d1_…`) is public.
_ENVELOPE = re.compile(r"hse_(?P<kind>[a-ce-z][0-9])_[0-9A-Za-z_-]{40,}", re.ASCII)
_SIGNED = re.compile(r"(?<![\w-])\.eJ[0-9A-Za-z_-]{16,}", re.ASCII)


class _Match(NamedTuple):
    """A secret: where it begins in the text, and its description without the secret."""

    at: int
    description: str


def is_suspect(data: bytes) -> bool:
    """Return quickly whether `data` may contain a secret; True for everything that `secrets_in` finds."""
    return b".eJ" in data or is_suspect_data(data)


def secrets_in(data: bytes) -> Iterator[tuple[int, str]]:
    """Yield the offset of each secret in `data` and its description: the masked token and its encoding."""
    # Invalid UTF-8 becomes one character per byte, so that offsets can be converted to bytes.
    text = data.decode("utf-8", "surrogateescape")
    at_text = at_bytes = 0
    for found in sorted([*_plain(text), *_signed(text)]):
        at_bytes += len(text[at_text : found.at].encode("utf-8", "surrogateescape"))
        at_text = found.at
        yield at_bytes, found.description


def inflated(data: bytes) -> bytes:
    """Decompress `data`, at most four megabytes of it; return nothing if it is invalid."""
    try:
        return zlib.decompressobj().decompress(data, _LARGEST_INFLATED)
    except zlib.error:
        return b""


def _plain(text: str) -> Iterator[_Match]:
    for found in tokens_in(text):
        if len(found.secret) >= _LEAST and not _is_placeholder(found.secret):
            wrapping = (
                ", in base64" if found.is_encoded else ", in UTF-16" if "\x00" in text[found.start : found.end] else ""
            )
            yield _Match(found.start, f"hsk_{found.env.lower()}_{found.prefix}_••••{wrapping}")
    for match in _OTHER_MARK.finditer(text):
        if not _is_placeholder(match["secret"]):
            yield _Match(match.start(), f"hsk_{match['env'].lower()}_{match['prefix']}_••••")
    for match in _ENVELOPE.finditer(text):
        yield _Match(match.start(), f"hse_{match['kind']}_••••, an envelope of an assistant")
    for match in _BEARER.finditer(text):
        if not _is_placeholder(match[1]):
            yield _Match(match.start(), "32 characters after “Bearer”")


def _is_placeholder(secret: str) -> bool:
    """Return whether the secret is a placeholder, such as xxxx… or 0000…"""
    return len(set(secret)) <= 2


def _signed(text: str) -> Iterator[_Match]:
    for match in _SIGNED.finditer(text):
        opened = inflated(_from_base64(match[0][1:])).decode("utf-8", "replace")
        for found in _plain(opened):
            yield _Match(match.start(), f"{found.description}, in a signed value")
            break


def _from_base64(text: str) -> bytes:
    whole = text[: len(text) // 4 * 4] if len(text) % 4 == 1 else text + "=" * (-len(text) % 4)
    try:
        return base64.urlsafe_b64decode(whole)
    except binascii.Error:
        return b""
