"""Parse the JSON of one message within a limit of depth, and explain what is wrong with it."""

import re
from typing import Any

import orjson

MAX_BODY_BYTES = 1024 * 1024
MAX_DEPTH = 64


class JsonError(ValueError):
    """The message is not JSON, or nested too deeply. The text names the fault and repeats none of the message."""


def parse_json(body: bytes) -> Any:
    """Return the JSON value in `body`; raise JsonError if it is not JSON, or nested too deeply."""
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_deep(body):
        raise JsonError(f"The JSON is nested deeper than {MAX_DEPTH} levels.")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise JsonError(_misreading(body, error)) from None


_LITERALS = (b"NaN", b"Infinity", b"-Infinity")
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def _misreading(body: bytes, error: orjson.JSONDecodeError) -> str:
    """Return why `body` is not JSON, and where, without repeating any of it."""
    if not body.strip():
        return "The body is empty. Send one JSON-RPC request."
    if body.startswith(_BYTE_ORDER_MARKS):
        return "The body begins with a byte order mark. Send UTF-8 without one."
    try:
        text = body.decode()
    except UnicodeDecodeError as broken:
        return f"The body is not UTF-8: byte {broken.start} cannot be read."
    rest = text[error.pos :].lstrip().encode(errors="replace")
    # orjson points after the sign, or at the quotation mark before an invalid character.
    if rest.startswith(_LITERALS) or text[max(0, error.pos - 1) :].startswith("-Infinity"):
        return f"The body is not JSON: NaN and Infinity are not JSON numbers (character {error.pos})."
    return f"The body is not JSON: {error.msg} (character {error.pos})."


# A string ends at its quotation mark or at the end of the body, without backtracking: the body may be invalid, such as
# a million quotation marks.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


def _is_deep(body: bytes) -> bool:
    """Return whether anything in `body` is nested deeper than MAX_DEPTH; brackets in strings do not count."""
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(body):
        match token[0]:
            case b"{" | b"[":
                depth += 1
                if depth > MAX_DEPTH:
                    return True
            case b"}" | b"]":
                depth -= 1
    return False
