"""What a token's secret looks like in a text, plain or wrapped.

Found are a token in any case; cut short, down to half of its secret; with quotation marks, line breaks or plus signs
in it, as code splits long texts; escaped for an address, for JSON or for mail; in UTF-16; in base64 at any place of it,
either alphabet; and in what Django's signing makes, such as a session. Not found is a secret that stands alone, without
the public part or “Bearer” in front of it: nothing tells it from any other 32 letters and digits.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Iterator

# Half a secret is a leak; less could be the beginning of an ordinary word behind a prefix.
_LEAST = 16
_LARGEST_INFLATED = 4 * 1024 * 1024

_UNDERSCORE = rb"(?:_|%(?:25)?5f|\\u005f|=5f)"
# Between two letters: nothing, or what code and mail put into a long text. Never taken back, so that no text is slow.
_QUOTE = rb"(?:\\[nrt]|\\(?!u)|[\"'`=])"
_GAP = rb"(?>[\s+.,&]{0,4}" + _QUOTE + rb"(?:" + _QUOTE + rb"|[\s+.,&]){0,12})?+"
_TOKEN = re.compile(
    rb"hsk" + _UNDERSCORE + rb"(live|test)" + _UNDERSCORE + rb"([0-9a-z]{12})"
    rb"(?:" + _UNDERSCORE + rb"|[-.:~])[\s,;]{0,2}" + _GAP + rb"((?:[0-9a-z]" + _GAP + rb"){%d,32})" % _LEAST,
    re.IGNORECASE,
)
# Without the public part: as somebody's header has it who pasted the secret alone.
_BEARER = re.compile(rb"bearer(?:%20|[\s:=\"'+])+([0-9a-z]{32})(?![0-9a-z])", re.IGNORECASE)
_SIGNED = re.compile(rb"(?<![\w-])\.eJ[0-9A-Za-z_-]{16,}")
# Plain searches for these are ten times as fast as one pattern for all of them.
_HINTS = (b"hsk", b"h\x00s\x00k\x00", b"bearer")
_UTF_16 = re.compile(rb"h\x00s\x00k\x00", re.IGNORECASE)
_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_WRAPPED_LENGTH = 96


def _encoded_beginnings() -> dict[bytes, int]:
    """What a token's beginning is in base64, at each of its three places, and how many signs before it belong to it."""
    found = {}
    for text in (b"hsk_live_", b"hsk_test_"):
        for place in range(3):
            first, end = -(-place * 8 // 6), (place + len(text)) * 8 // 6
            found[base64.b64encode(b"\0" * place + text)[first:end]] = first
    return found


_ENCODED = _encoded_beginnings()
_ENCODED_HINTS = re.compile(b"|".join(re.escape(beginning) for beginning in _ENCODED))


def is_suspect(data: bytes) -> bool:
    """Whether it is worth looking closely; costs little, and is True for whatever `secrets_in` would find."""
    lowered = data.lower()
    return any(hint in lowered for hint in _HINTS) or b".eJ" in data or any(beginning in data for beginning in _ENCODED)


def secrets_in(data: bytes) -> Iterator[tuple[int, str]]:
    """Where in `data` a secret begins, and what may be said of it: the token's public part, and how it is wrapped."""
    yield from _plain(data)
    if _UTF_16.search(data):
        yield from ((at * 2, f"{said}, in UTF-16") for at, said in _plain(data.replace(b"\x00", b"")))
    for match in _ENCODED_HINTS.finditer(data):
        for _, said in _plain(_decoded(data, match.start(), _ENCODED[match[0]])):
            yield match.start(), f"{said}, in base64"
            break
    for match in _SIGNED.finditer(data):
        for _, said in _plain(inflated(_from_base64(match[0][1:]))):
            yield match.start(), f"{said}, in a signed value"
            break


def inflated(data: bytes) -> bytes:
    """What zlib made `data` of, as far as it goes and no further than four megabytes."""
    try:
        return zlib.decompressobj().decompress(data, _LARGEST_INFLATED)
    except zlib.error:
        return b""


def _plain(data: bytes) -> Iterator[tuple[int, str]]:
    for match in _TOKEN.finditer(data):
        secret = re.sub(rb"[^0-9a-zA-Z]", b"", match[3])
        # Placeholders such as xxxx… and 0000… are no secrets.
        if len(set(secret)) > 2:
            yield match.start(), f"hsk_{match[1].decode().lower()}_{match[2].decode()}_••••"
    for match in _BEARER.finditer(data):
        if len(set(match[1])) > 2:
            yield match.start(), "32 signs behind “Bearer”"


def _decoded(data: bytes, start: int, before: int) -> bytes:
    end = start
    while end < len(data) and end - start < _WRAPPED_LENGTH and data[end] in _BASE64:
        end += 1
    # The signs before it are those of the same group, in which the first letter begins.
    first = data[max(0, start - before) : start].rjust(before, b"A")
    return _from_base64(first + data[start:end])


def _from_base64(text: bytes) -> bytes:
    whole = text[: len(text) // 4 * 4] if len(text) % 4 == 1 else text + b"=" * (-len(text) % 4)
    try:
        return base64.b64decode(whole.translate(_TO_STANDARD))
    except binascii.Error:
        return b""
