"""Recognise Hoursmith tokens in a text, plain or encoded; `masking` masks them, `secret_scan` reports them.

A token is `hsk_live_` or `hsk_test_`, 12 letters or digits (its public prefix), `_`, and 32 letters or digits (its
secret). Case does not matter. Encoded tokens are found in a *decoded* copy of the text, with one ASCII character for
each significant character: escapes of URLs (`%5F`, `%255F`), JSON and code (`\\u005f`, `\\x5f`), HTML (`&#95;`) and
mail (`=5F`) are decoded, full-width and other compatible characters become the ones that they stand for, and spaces,
line breaks, quotation marks, zero-width characters and soft hyphens are left out. Base64 is recognised by what a
token's beginning becomes in it. Not recognised are a secret that stands alone, since nothing tells it from any other
32 letters and digits, and what was encrypted, compressed or encoded twice by different means.

An envelope (`mcpbridge.grants`) is `hse_`, the letter of its kind, `1_` and base64url: an encrypted token, which its
holder can use like the token. `hse_d1_…` is a client_id, which is public.

Everything here takes time in proportion to the length of the text, and nearly none where nothing is suspect.
"""

import base64
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

# Minimum length of a secret: less could be the beginning of an ordinary word after a prefix.
_MIN_SECRET = 8
# Without `hsk` before it, `test_` and a word of 12 letters are common.
_LEAST_WITHOUT_HSK = 24

_SPLIT = re.compile(
    rf"hsk_(?P<env>live|test)_(?P<prefix>[0-9a-z]{{12}})_(?P<secret>(?:[0-9a-z][-.]?){{{_MIN_SECRET - 1},31}}[0-9a-z])"
    rf"|(?P<env2>live|test)_(?P<prefix2>[0-9a-z]{{12}})_(?P<secret2>[0-9a-z]{{{_LEAST_WITHOUT_HSK},32}})",
    re.IGNORECASE | re.ASCII,
)
ENVELOPE = re.compile(r"(?P<kind>hse_[a-ce-z][0-9]_)[0-9A-Za-z_\-]+", re.IGNORECASE | re.ASCII)
_PIECE = re.compile(
    r"(?P<plain>[0-9A-Za-z_.\-]+)"
    r"|\\+u(?P<unit>[0-9a-f]{4})"
    r"|(?P<unseen>%(?:25)*(?:e2%(?:25)*80%(?:25)*8[b-f]|c2%(?:25)*ad|ef%(?:25)*bb%(?:25)*bf))"
    r"|(?:%(?:25)*|\\+x|=(?=5f)|&\#x0*)(?P<hex>[0-9a-f]{2});?"
    r"|&\#0*(?P<number>[0-9]{2,3});?"
    r"|(?P<underscore>&lowbar;)"
    r"|(?P<nothing>\\+[nrt]|[\r\n][\s>|]*+|<wbr>|<br\ ?/?>|&(?:shy|nbsp|ZeroWidthSpace);|[\s\x00-\x1f\x7f\"'`\\+,&=]+)"
    r"|(?P<other>.)",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_UNSEEN = frozenset({"Cc", "Cf", "Mn", "Me", "Zs", "Zl", "Zp"})

# Bytes that the first check ignores, and patterns for bytes, which are the fastest to search.
_LEFT_OUT = bytes([*range(0x21), 0x7F, *b"\"'`\\+,&=>|"])
_LOWER = bytes(range(256)).lower()
_INVISIBLE = dict.fromkeys([0xAD, 0x34F, 0x180E, *range(0x200B, 0x2010), 0x2028, 0x2029, *range(0x2060, 0x2065),
                            *range(0xFE00, 0xFE10), 0xFEFF])  # fmt: skip
_INVISIBLE_BYTES = re.compile(b"|".join(chr(code).encode() for code in _INVISIBLE))
_WIDE_BYTES = re.compile(b"|".join(letter.encode() for letter in "ｈｓｋＨＳＫ＿"))
_ESCAPED = re.compile(
    rb"(?:%(?:25)*|\\u00|\\x|&#x?0*)(?:5f|95|68|48|104|72|6b|4b|73|53|115|83|107|75)|\\uff|&lowbar;|=5f", re.IGNORECASE
)
_WRAPPED_LENGTH = 96
_BASE64_RUN = re.compile(rf"(?:[0-9A-Za-z+/\-_=][\s\"'\\]{{0,4}}){{1,{_WRAPPED_LENGTH}}}")


def _encoded_beginnings() -> dict[str, int]:
    """Return the base64 forms of a token's beginning at the three offsets, and how many characters precede each."""
    found = {}
    for text in (b"hsk_live_", b"hsk_test_"):
        for place in range(3):
            first, end = -(-place * 8 // 6), (place + len(text)) * 8 // 6
            found[base64.b64encode(b"\0" * place + text)[first:end].decode()] = first
    return found


ENCODED = _encoded_beginnings()
_ENCODED_HINTS = re.compile("|".join(map(re.escape, ENCODED)))
_ENCODED_BYTES = re.compile("|".join(map(re.escape, ENCODED)).encode())


@dataclass(frozen=True, slots=True)
class Found:
    """A token in a text: its position and its parts."""

    start: int
    end: int
    env: str
    prefix: str
    secret: str
    is_encoded: bool = False


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A decoded text, and the position of each of its characters in the original."""

    text: str
    starts: list[int]
    ends: list[int]


def is_suspect(text: str) -> bool:
    """Return quickly whether `text` may contain a token; True for everything `tokens_in` finds and for “Bearer”."""
    if text.isascii():
        return _is_suspect(text.encode())
    return _is_suspect(unicodedata.normalize("NFKC", text).translate(_INVISIBLE).encode(errors="replace"))


def is_suspect_data(data: bytes) -> bool:
    """Return the same for bytes, fast enough for whole disks."""
    if not data.isascii():
        if b"\xf0\x9d" in data:
            # Mathematical letters, which are rare.
            return is_suspect(data.decode("utf-8", "replace"))
        if _WIDE_BYTES.search(data):
            return True
        data = _INVISIBLE_BYTES.sub(b"", data)
    return _is_suspect(data)


def _is_suspect(data: bytes) -> bool:
    plain = data.translate(_LOWER, _LEFT_OUT)
    return (
        b"hsk" in plain
        or b"bearer" in plain
        or b"live_" in plain
        or b"test_" in plain
        or b"hse_" in plain
        # The first characters of a token's beginning in base64.
        or ((b"aHNrX" in data or b"hza1" in data or b"oc2tf" in data) and _ENCODED_BYTES.search(data) is not None)
        or ((b"%" in data or b"\\" in data or b"&" in data or b"=5" in data) and _ESCAPED.search(data) is not None)
    )


def tokens_in(text: str) -> Iterator[Found]:
    """Yield tokens in `text`, plain, split, escaped or in base64, in order of position."""
    plain = _decode(text)
    found = [
        Found(
            start=plain.starts[match.start()],
            end=plain.ends[match.end() - 1],
            env=match["env"] or match["env2"],
            prefix=match["prefix"] or match["prefix2"],
            secret=re.sub("[-.]", "", match["secret"] or match["secret2"]),
        )
        for match in _SPLIT.finditer(plain.text)
    ]
    if _ENCODED_HINTS.search(text):
        found += _encoded(text)
        found.sort(key=lambda each: each.start)
    yield from found


def _encoded(text: str) -> Iterator[Found]:
    """Yield tokens in base64, in either alphabet, at any offset, also over several lines."""
    for match in _ENCODED_HINTS.finditer(text):
        run = _BASE64_RUN.match(text, match.start())
        if run is None:
            continue
        before = ENCODED[match[0]]
        # The characters before it belong to the same base64 group.
        first = text[max(0, match.start() - before) : match.start()].rjust(before, "A")
        blob = re.sub(r"[^0-9A-Za-z+/\-_]", "", first + run[0])
        decoded = _decoded(blob)
        if inner := _SPLIT.search(_decode(decoded).text):
            yield Found(
                start=match.start(),
                end=run.end(),
                env=inner["env"] or inner["env2"],
                prefix=inner["prefix"] or inner["prefix2"],
                secret=re.sub("[-.]", "", inner["secret"] or inner["secret2"]),
                is_encoded=True,
            )


def _decoded(blob: str) -> str:
    whole = blob[: len(blob) // 4 * 4] if len(blob) % 4 == 1 else blob + "=" * (-len(blob) % 4)
    return base64.b64decode(whole.replace("-", "+").replace("_", "/"), validate=False).decode("latin-1")


def _decode(text: str) -> _Decoded:
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in _PIECE.finditer(text):
        start, end = match.span()
        kind = match.lastgroup
        if kind in ("nothing", "unseen"):
            continue
        if kind == "plain":
            parts.append(match[0])
            starts.extend(range(start, end))
            ends.extend(range(start + 1, end + 1))
            continue
        said = _meaning(match)
        parts.append(said)
        starts.extend([start] * len(said))
        ends.extend([end] * len(said))
    return _Decoded("".join(parts), starts, ends)


def _meaning(match: re.Match[str]) -> str:
    """Return the character that an escape or a non-ASCII character stands for; nothing if it is invisible."""
    said = match[0]
    if code := match["unit"] or match["hex"]:
        said = chr(int(code, 16))
    elif number := match["number"]:
        said = chr(int(number))
    elif match["underscore"]:
        said = "_"
    if not said.isascii():
        if unicodedata.category(said) in _UNSEEN:
            return ""
        said = unicodedata.normalize("NFKC", said)
    return "" if said.isspace() or said < " " or said in "\"'`\\+,&=" else said
