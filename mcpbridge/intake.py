"""Reads one HTTP request within limits of size, depth and time, and turns away what does not fit."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any

import mcp_types as types
import orjson

from mcpbridge.rpc import RpcError

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

MAX_BODY_BYTES = 1024 * 1024
MAX_DEPTH = 64
BODY_TIMEOUT_S = 30.0
TRANSPORT_FAULT = -32042


class Refusal(Exception):
    """A request that the door turns away."""

    def __init__(self, status: int, message: str, *, code: int = TRANSPORT_FAULT, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.headers: list[tuple[bytes, bytes]] = more.pop("headers", [])
        self.body = RpcError(code, message, data=more or None).body(None)


def folded(lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name. A routing header that appears twice makes the request ambiguous."""
    headers: dict[str, str] = {}
    for name, value in lines:
        key = name.decode("latin-1")
        if key in headers and (key.startswith("mcp-") or key == "host"):
            raise Refusal(400, f"The header {key} appears more than once.", code=types.HEADER_MISMATCH)
        headers[key] = value.decode("latin-1")
    return headers


def check_media_types(headers: dict[str, str]) -> None:
    """Raise Refusal unless the body is declared as JSON and JSON is welcome as an answer."""
    is_json, is_welcome = _media_types(headers.get("content-type", ""), headers.get("accept", "*/*"))
    if not is_json:
        raise Refusal(415, "Send the body as Content-Type: application/json.")
    if not is_welcome:
        raise Refusal(406, "The answer is application/json: name it in the Accept header.")


@lru_cache(maxsize=64)
def _media_types(content_type: str, accept: str) -> tuple[bool, bool]:
    """Whether the body is JSON, and whether the answer may be. Clients say the same with every request."""
    accepted = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    return (
        content_type.split(";")[0].strip().lower() == "application/json",
        bool(accepted & {"application/json", "application/*", "*/*"}),
    )


async def read_body(receive: Receive, headers: dict[str, str]) -> bytes:
    """The whole body; raises Refusal where it is too large, too slow or ends too soon."""
    declared = headers.get("content-length", "0")
    if not (declared.isascii() and declared.isdigit()) or len(declared) > 12:
        raise Refusal(400, "The Content-Length header is not a number.")
    if int(declared) > MAX_BODY_BYTES:
        raise Refusal(413, f"The request is larger than {MAX_BODY_BYTES} bytes.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refusal(400, "The request ended before its body did.")
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    raise Refusal(413, f"The request is larger than {MAX_BODY_BYTES} bytes.")
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise Refusal(408, f"The body did not arrive within {BODY_TIMEOUT_S:.0f} seconds.") from None


def decoded(body: bytes) -> Any:
    """The JSON value that `body` is; raises Refusal where it is none, or nested too deeply to handle safely."""
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_deep(body):
        raise Refusal(400, f"The JSON is nested deeper than {MAX_DEPTH} levels.", code=types.PARSE_ERROR)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refusal(400, "The body is not JSON in UTF-8.", code=types.PARSE_ERROR) from None


# A string ends with its quotation mark or with the body, and nothing is tried twice: a body is not JSON yet when it is
# looked at, and may be a million quotation marks of which none ends.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


def _is_deep(body: bytes) -> bool:
    """Whether anything in `body` is nested deeper than MAX_DEPTH; brackets inside of strings do not count."""
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
