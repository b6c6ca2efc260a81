"""The console with short limits for bodies and unread responses, and twenty megabytes at `/big`."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from hoursmith_console.server import connections
from mcpbridge.http import request
from tests.faults.proxies.programs import WAIT_S

request.BODY_TIMEOUT_S = connections.UNREAD_RESPONSE_S = WAIT_S
BIG = b"x" * 20_000_000
ENDED = "The connection of /big has ended."

from hoursmith_console.asgi import application as console  # noqa: E402 – with these limits


async def application(
    scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Serve the console; at `/big`, a response that does not end before its client has."""
    if scope.get("path") != "/big":
        await console(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": BIG, "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass
    print(ENDED, file=sys.stderr, flush=True)  # noqa: T201
