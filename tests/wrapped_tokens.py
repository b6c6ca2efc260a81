"""One token in every wrapping in which people, clients and libraries write it down."""

import base64
from urllib.parse import quote

from tests.conftest import assembled_token

SECRET = "Zx9Kq2mW7vB4nT6yR8cL1sD3fG5hJ0pA"
TOKEN = assembled_token(secret=SECRET)
PREFIX = "hsk_live_4f8a2c1bdedf"
PIECE = 8


def _split(mark: str, at: int = 30) -> str:
    return f"{TOKEN[:at]}{mark}{TOKEN[at:]}"


def _wide(text: str) -> str:
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


WRAPPED = {
    "plain": TOKEN,
    "in upper case": TOKEN.upper(),
    "in mixed case": TOKEN.swapcase(),
    "of the test environment": TOKEN.replace("live", "test"),
    "cut short": TOKEN[:-12],
    "too long": TOKEN + SECRET,
    "a space behind the prefix": TOKEN.replace("df_", "df_ "),
    "a line break before the last underscore": TOKEN.replace("df_", "df\n_"),
    "a space for the last underscore": TOKEN.replace("df_", "df "),
    "a space in the secret": _split(" "),
    "a line break in the secret": _split("\r\n"),
    "a line break in the first letters": _split("\n", at=2),
    "a line break in the prefix": _split("\n", at=15),
    "quoted by mail": f"> {_split(chr(10) + '> ')}",
    "hyphenated": _split("-\n"),
    "split by code": _split('" + "'),
    "split by escaped line breaks": _split('\\n" "'),
    "split by mail": _split("=\r\n"),
    "split by HTML": _split("<wbr>"),
    "with zero-width spaces": "\u200b".join(TOKEN),
    "with soft hyphens": "\u00ad".join(TOKEN),
    "with a word joiner": _split("\u2060"),
    "with a byte order mark": f"\ufeff{_split(chr(0xFEFF))}",
    "with NUL characters": "\x00".join(TOKEN),
    "in full width": _wide(TOKEN),
    "partly in full width": TOKEN[:20] + _wide(TOKEN[20:]),
    "in mathematical letters": "".join(
        chr(0x1D5BA + ord(each) - ord("a")) if each.islower() else each for each in TOKEN
    ),
    "escaped for an address": TOKEN.replace("_", "%5F"),
    "twice escaped for an address": quote(TOKEN.replace("_", "%5F")),
    "every letter escaped for an address": "".join(f"%{ord(each):02x}" for each in TOKEN),
    "escaped in JSON": TOKEN.replace("_", "\\u005f"),
    "every letter escaped in JSON": "".join(f"\\u{ord(each):04X}" for each in TOKEN),
    "escaped in code": TOKEN.replace("_", "\\x5f"),
    "escaped in HTML": TOKEN.replace("_", "&#95;"),
    "escaped in HTML by hexadecimal": TOKEN.replace("_", "&#x5F;"),
    "escaped by mail": TOKEN.replace("_", "=5F"),
    "in base64": base64.b64encode(TOKEN.encode()).decode(),
    "in base64 with a user name": base64.b64encode(f"ana:{TOKEN}".encode()).decode(),
    "in base64 for addresses": base64.urlsafe_b64encode(f"id {TOKEN}".encode()).decode(),
    "in base64 on several lines": base64.encodebytes(b"x" * 40 + TOKEN.encode()).decode(),
    "in an address": f"https://example.com/?token={TOKEN}&page=1",
    "in an address's host": f"https://{TOKEN}.example.com/",
    "in an e-mail address": f"ana+{TOKEN}@example.com",
    "in a header": f"Authorization: Bearer {TOKEN}",
    "in a dictionary": repr({"authorization": f"Bearer {TOKEN}"}),
    "without hsk": TOKEN.removeprefix("hsk_"),
}
# Nothing tells which part of these is public, so nothing of them is kept.
MANGLED = {
    "without a prefix": f"hsk_live_{SECRET}",
    "without an environment": f"hsk_{SECRET}",
    "a dash for the last underscore": f"{PREFIX}-{SECRET}",
    "dashes for all underscores": TOKEN.replace("_", "-"),
    "a comma behind hsk": f"hsk_{SECRET},",
    "behind Bearer": f"Bearer {SECRET}",
    "behind Bearer in an address": f"bearer%20{SECRET}",
}


def pieces_left(text: str) -> set[str]:
    """The pieces of the secret that stand in `text`, in any case."""
    lowered, secret = text.lower(), SECRET.lower()
    pieces = {secret[start : start + PIECE] for start in range(len(secret) - PIECE + 1)}
    return {piece for piece in pieces if piece in lowered}
