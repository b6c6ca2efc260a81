"""Turns away request bodies that no page has use for, before they fill the disk, and those that never end.

Django keeps the whole body of a request in memory and then in a temporary file before it looks at it, whoever sent it,
however long it is and however long it takes; its own limit comes later. The bridge has limits of its own.
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
# To the application it looks as if the browser had gone away, so that it lets go of what it holds.
_GONE = {"type": "http.disconnect"}


def limit_body(app: App) -> App:
    """`app`, which never sees more than MAX_BODY_BYTES of a body; whoever sends more gets 413, who dawdles 408."""

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
    """The body of one request, as far as it came."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._give_up_at: float | None = asyncio.get_running_loop().time() + BODY_TIMEOUT_S
        self.taken = 0
        self.is_late = False

    async def receive(self) -> Mapping[str, Any]:
        """The next message to the application."""
        try:
            async with asyncio.timeout_at(self._give_up_at):
                message = await self._receive()
        except TimeoutError:
            self.is_late = True
            return _GONE
        self.taken += len(message.get("body", b""))
        if not message.get("more_body"):
            # Whoever asks on waits for the browser to go away, as long as that may take.
            self._give_up_at = None
        return _GONE if self.taken > MAX_BODY_BYTES else message


def _declared(scope: Scope) -> int:
    said = dict(scope["headers"]).get(b"content-length", b"0")
    # What is no number the server itself refuses.
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
