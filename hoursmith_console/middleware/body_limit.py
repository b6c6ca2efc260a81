"""Limit the size and duration of request bodies for pages.

Django buffers the whole body in memory or a temporary file before any view or limit of its own sees it. The bridge has
its own limits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcpbridge.http.headers import plain_headers

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# A page's largest form is a few kilobytes; the sandbox's REST API takes a megabyte.
MAX_BODY_BYTES = 2 * 1024 * 1024
BODY_TIMEOUT_S = 30.0
_TOO_LARGE = f"The request is larger than {MAX_BODY_BYTES} bytes.\n".encode()
_TOO_SLOW = f"The request did not arrive within {BODY_TIMEOUT_S:.0f} seconds.\n".encode()
# The application sees a disconnect, so that it releases its resources.
_GONE = {"type": "http.disconnect"}


def limit_body(app: App) -> App:
    """Wrap `app`: respond 413 to bodies over MAX_BODY_BYTES, 408 to those that take over BODY_TIMEOUT_S."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if _declared(scope) > MAX_BODY_BYTES:
            await _send_text(send, 413, _TOO_LARGE)
            return
        body = _Body(receive)
        await app(scope, body.receive, send)
        if body.taken > MAX_BODY_BYTES:
            await _send_text(send, 413, _TOO_LARGE)
        elif body.is_late:
            await _send_text(send, 408, _TOO_SLOW)

    return guarded


class _Body:
    """Count and time the body of one request."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._deadline: float | None = asyncio.get_running_loop().time() + BODY_TIMEOUT_S
        self.taken = 0
        self.is_late = False

    async def receive(self) -> Mapping[str, Any]:
        """Return the next message for the application, or a disconnect over a limit."""
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            self.is_late = True
            return _GONE
        self.taken += len(message.get("body", b""))
        if not message.get("more_body"):
            # Later calls wait for the browser to disconnect, which may take any time.
            self._deadline = None
        return _GONE if self.taken > MAX_BODY_BYTES else message


def _declared(scope: Scope) -> int:
    said = dict(scope["headers"]).get(b"content-length", b"0")
    # The server itself refuses a value that is not a number.
    return int(said) if said.isdigit() and len(said) < 20 else 0


async def _send_text(send: Send, status: int, text: bytes) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
        *plain_headers(),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
