"""Read and validate one HTTP request: media types, body size (1 MiB), read timeout (30 s), JSON depth (64).

Raises HttpError.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any

import mcp_types as types

from mcpbridge.core.json_parsing import MAX_BODY_BYTES, JsonError, parse_json
from mcpbridge.protocol.jsonrpc import RpcError

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

BODY_TIMEOUT_S = 30.0
# How much of a rejected request's body is still read: a connection that is closed with some of it unread is reset, and
# the client, or the proxy in front, loses the answer. The proxies of docs/proxies refuse what is larger.
MOST_DRAINED_BYTES = 5 * 1024 * 1024
DRAINING_S = 1.0
TRANSPORT_FAULT = -32042


class HttpError(Exception):
    """A request that is answered with an error before it is dispatched."""

    def __init__(self, status: int, message: str, *, code: int = TRANSPORT_FAULT, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.headers: list[tuple[bytes, bytes]] = more.pop("headers", [])
        self.body = RpcError(code, message, data=more or None).body(None)


# Fields with one value (RFC 9110 section 5.5, MCP transports); several lines of any other field are one list.
_SINGLETONS = frozenset(
    {"content-encoding", "content-length", "content-type", "host", "origin", "traceparent", "user-agent"}
)


def header_dict(lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers by lower-case name; several lines of a list are joined (RFC 9110 section 5.3).

    Raises HttpError if a header that routes the request appears twice, or another singleton has two values.
    """
    headers: dict[str, str] = {}
    for name, value in lines:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        if key in headers:
            text = _joined(key, headers[key], text)
        headers[key] = text
    return headers


def _joined(key: str, before: str, text: str) -> str:
    if key.startswith("mcp-") or key == "host" or (key in _SINGLETONS and text != before):
        raise HttpError(400, f"The header {key} appears more than once. Send it once.", code=types.HEADER_MISMATCH)
    return text if key in _SINGLETONS else f"{before}, {text}"


def is_read_only(headers: Mapping[str, str]) -> bool:
    """Return whether `X-MCP-Readonly` is set: any value but `false` and `0` counts."""
    said = headers.get("x-mcp-readonly")
    return said is not None and any(part.strip().lower() not in ("false", "0") for part in said.split(","))


def check_media_types(headers: dict[str, str]) -> None:
    """Raise HttpError unless the body is declared as uncompressed JSON and the client accepts JSON."""
    if headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
        raise HttpError(
            415,
            "Compressed bodies are not supported. Send the body without Content-Encoding.",
            headers=[(b"accept-encoding", b"identity")],
        )
    is_json, is_welcome = _media_types(headers.get("content-type", ""), headers.get("accept", "*/*"))
    if not is_json:
        raise HttpError(415, "Send the body as Content-Type: application/json.")
    if not is_welcome:
        raise HttpError(406, "The response is application/json: add it to the Accept header.")


@lru_cache(maxsize=64)
def _media_types(content_type: str, accept: str) -> tuple[bool, bool]:
    """Return whether the body is JSON, and whether the response may be. Cached: clients repeat the same headers."""
    accepted = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    return (
        content_type.split(";")[0].strip().lower() == "application/json",
        bool(accepted & {"application/json", "application/*", "*/*"}),
    )


class RequestBody:
    """The body of one request, which knows whether all of it was received."""

    __slots__ = ("_receive", "is_complete")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_complete = False

    async def __call__(self) -> Mapping[str, Any]:
        message = await self._receive()
        self.is_complete = message["type"] == "http.request" and not message.get("more_body")
        return message

    async def drain(self) -> bool:
        """Read the rest of the body up to a limit, for at most a second; return whether all of it was received."""
        taken = 0
        try:
            async with asyncio.timeout(DRAINING_S):
                while not self.is_complete and taken <= MOST_DRAINED_BYTES:
                    message = await self()
                    if message["type"] == "http.disconnect":
                        return False
                    taken += len(message.get("body", b""))
        except TimeoutError:
            return False
        return self.is_complete


async def read_body(receive: Receive, headers: dict[str, str]) -> bytes:
    """Return the whole body; raise HttpError if it is too large, too slow or incomplete."""
    declared = headers.get("content-length", "0")
    if not (declared.isascii() and declared.isdigit()) or len(declared) > 12:
        raise HttpError(400, "The Content-Length header is not a number.")
    if int(declared) > MAX_BODY_BYTES:
        raise HttpError(413, f"The request is larger than {MAX_BODY_BYTES} bytes.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise HttpError(400, "The connection closed before the body was complete.")
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    raise HttpError(413, f"The request is larger than {MAX_BODY_BYTES} bytes.")
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise HttpError(408, f"The body did not arrive within {BODY_TIMEOUT_S:.0f} seconds.") from None


def parse_body(body: bytes) -> Any:
    """Return the JSON value in `body`; raise HttpError if it is not JSON, or nested too deeply."""
    try:
        return parse_json(body)
    except JsonError as error:
        raise HttpError(400, str(error), code=types.PARSE_ERROR) from None
