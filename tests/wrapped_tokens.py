"""One token in every wrapping in which people, clients and libraries write it down."""

import base64
from urllib.parse import quote

from tests.token_shapes import assembled_token

SECRET = "Zx9Kq2mW7vB4nT6yR8cL1sD3fG5hJ0pA"
TOKEN = assembled_token(secret=SECRET)
PREFIX = "hsk_live_4f8a2c1bdedf"
PIECE = 8


def _wide(text: str) -> str:
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


def wrapped(token: str) -> dict[str, str]:
    """`token` in every wrapping, by what it is called."""

    def split(mark: str, at: int = 30) -> str:
        return f"{token[:at]}{mark}{token[at:]}"

    return {
        "plain": token,
        "in upper case": token.upper(),
        "in mixed case": token.swapcase(),
        "of the test environment": token.replace("live", "test"),
        "cut short": token[:-12],
        "too long": token + token[-32:],
        "a space behind the prefix": split(" ", at=22),
        "a line break before the last underscore": split("\n", at=21),
        "a space for the last underscore": f"{token[:21]} {token[22:]}",
        "a space in the secret": split(" "),
        "a line break in the secret": split("\r\n"),
        "a line break in the first letters": split("\n", at=2),
        "a line break in the prefix": split("\n", at=15),
        "quoted by mail": f"> {split(chr(10) + '> ')}",
        "hyphenated": split("-\n"),
        "split by code": split('" + "'),
        "split by escaped line breaks": split('\\n" "'),
        "split by mail": split("=\r\n"),
        "split by HTML": split("<wbr>"),
        "with zero-width spaces": "\u200b".join(token),
        "with soft hyphens": "\u00ad".join(token),
        "with a word joiner": split("\u2060"),
        "with a byte order mark": f"\ufeff{split(chr(0xFEFF))}",
        "with NUL characters": "\x00".join(token),
        "in full width": _wide(token),
        "partly in full width": token[:20] + _wide(token[20:]),
        "in mathematical letters": "".join(
            chr(0x1D5BA + ord(each) - ord("a")) if each.islower() else each for each in token
        ),
        "escaped for an address": token.replace("_", "%5F"),
        "twice escaped for an address": quote(token.replace("_", "%5F")),
        "every letter escaped for an address": "".join(f"%{ord(each):02x}" for each in token),
        "escaped in JSON": token.replace("_", "\\u005f"),
        "every letter escaped in JSON": "".join(f"\\u{ord(each):04X}" for each in token),
        "escaped in code": token.replace("_", "\\x5f"),
        "escaped in HTML": token.replace("_", "&#95;"),
        "escaped in HTML by hexadecimal": token.replace("_", "&#x5F;"),
        "escaped by mail": token.replace("_", "=5F"),
        "in base64": base64.b64encode(token.encode()).decode(),
        "in base64 with a user name": base64.b64encode(f"ana:{token}".encode()).decode(),
        "in base64 for addresses": base64.urlsafe_b64encode(f"id {token}".encode()).decode(),
        "in base64 on several lines": base64.encodebytes(b"x" * 40 + token.encode()).decode(),
        "in an address": f"https://example.com/?token={token}&page=1",
        "in an address's host": f"https://{token}.example.com/",
        "in an e-mail address": f"ana+{token}@example.com",
        "in a header": f"Authorization: Bearer {token}",
        "in a dictionary": repr({"authorization": f"Bearer {token}"}),
        "without hsk": token.removeprefix("hsk_"),
    }


WRAPPED = wrapped(TOKEN)
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
