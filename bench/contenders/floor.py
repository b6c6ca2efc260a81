"""The floor: raw ASGI and aiohttp, and nothing but to forward a tool call as one GET with the caller's own token.

It checks nothing and records nothing. Nobody should run it; it shows what Python and the sockets alone cost.
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp
import orjson

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_UPSTREAM = os.environ["BENCH_UPSTREAM_URL"]
_session: aiohttp.ClientSession | None = None


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    request = orjson.loads(body)
    token = next(value for name, value in scope["headers"] if name == b"authorization")
    answer = orjson.dumps({"jsonrpc": "2.0", "id": request["id"], "result": await _result(request, token.decode())})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def _result(request: dict[str, Any], authorization: str) -> dict[str, Any]:
    assert _session is not None
    url = f"{_UPSTREAM}/clients/{request['params']['arguments']['id']}"
    async with _session.get(url, headers={"Authorization": authorization}) as response:
        text = await response.read()
    return {
        "content": [{"type": "text", "text": text.decode()}],
        "structuredContent": orjson.loads(text),
        "isError": False,
        "resultType": "complete",
    }


async def _live(receive: Receive, send: Send) -> None:
    global _session
    await receive()
    connector = aiohttp.TCPConnector(limit=256, keepalive_timeout=60)
    _session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await _session.close()
    await send({"type": "lifespan.shutdown.complete"})
