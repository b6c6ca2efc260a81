"""Turns away request bodies that no page has use for, before they fill the disk.

Django keeps the whole body of a request in memory and then in a temporary file before it looks at it, whoever sent it
and however long it is; its own limit comes later. The bridge has a limit of its own.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcpbridge.headers import plain_headers

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# A page's largest form is a few kilobytes; the sandbox's REST API takes a megabyte.
MAX_BODY_BYTES = 2 * 1024 * 1024
_TOO_LARGE = f"The request is larger than {MAX_BODY_BYTES} bytes.\n".encode()


def limited(app: App) -> App:
    """`app`, which never sees more than MAX_BODY_BYTES of a body; whoever sends more gets 413."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if _declared(scope) > MAX_BODY_BYTES:
            await _refuse(send)
            return
        taken = 0

        async def counted() -> Mapping[str, Any]:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            # To the application it looks as if the browser had gone away, so that it lets go of what it holds.
            return {"type": "http.disconnect"} if taken > MAX_BODY_BYTES else message

        await app(scope, counted, send)
        if taken > MAX_BODY_BYTES:
            await _refuse(send)

    return guarded


def _declared(scope: Scope) -> int:
    said = dict(scope["headers"]).get(b"content-length", b"0")
    # What is no number the server itself refuses.
    return int(said) if said.isdigit() and len(said) < 20 else 0


async def _refuse(send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(_TOO_LARGE)).encode()),
        (b"connection", b"close"),
        *plain_headers(),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": _TOO_LARGE})
