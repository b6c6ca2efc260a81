"""Transport to an ASGI application in this process, the embedded sandbox, through httpx."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import httpx

from mcpbridge.upstream.errors import (
    UpstreamDroppedError,
    UpstreamError,
    UpstreamMalformedError,
    UpstreamRedirectError,
    UpstreamTimeoutError,
    UpstreamTooLargeError,
    UpstreamUnreachableError,
)
from mcpbridge.upstream.response import MAX_RESPONSE_BYTES, RawResponse
from mcpbridge.upstream.transport import HEADERS, connect_timeout, is_compressed


def asgi_transport(application: Any) -> httpx.AsyncBaseTransport:
    """Return an httpx transport that calls an ASGI application in this process."""
    return httpx.ASGITransport(app=application, raise_app_exceptions=False)


class AsgiTransport:
    """Uses an httpx transport without httpx's client, which adds cookies, redirects and proxies."""

    def __init__(self, transport: httpx.AsyncBaseTransport, origin: str, *, timeout_s: float) -> None:
        self._transport = transport
        self._origin = origin
        self._timeout_s = timeout_s
        connect = connect_timeout(timeout_s)
        self._timeouts = {"connect": connect, "pool": connect, "read": timeout_s, "write": timeout_s}

    async def exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> RawResponse:
        try:
            request = httpx.Request(
                method,
                self._origin + target,
                headers={**HEADERS, **headers},
                content=body,
                extensions={"timeout": self._timeouts},
            )
            async with asyncio.timeout(self._timeout_s):
                response = await self._transport.handle_async_request(request)
                try:
                    return await _read(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise UpstreamTimeoutError from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            # The cause is not chained: an HTTP library's error may print the request, token included.
            raise _named(error) from None

    async def aclose(self) -> None:
        await self._transport.aclose()


async def _read(response: httpx.Response) -> RawResponse:
    status, said = response.status_code, response.headers
    if 300 <= status < 400:
        raise UpstreamRedirectError
    retry_after = said.get("retry-after")
    if is_compressed(said.get("content-encoding")):
        return RawResponse(status, retry_after, None)
    body = bytearray()
    # The raw stream: the body is not compressed, and httpx's reader would copy every chunk again.
    async for piece in cast(AsyncIterator[bytes], response.stream):
        body += piece
        if len(body) > MAX_RESPONSE_BYTES:
            raise UpstreamTooLargeError
    return RawResponse(status, retry_after, body)


def _named(error: Exception) -> UpstreamError:
    """Map an httpx error to an UpstreamError."""
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout():
            return UpstreamUnreachableError()
        case httpx.UnsupportedProtocol() | httpx.InvalidURL():
            return UpstreamUnreachableError()
        case httpx.TimeoutException():
            return UpstreamTimeoutError()
        case httpx.DecodingError():
            return UpstreamMalformedError()
    return UpstreamDroppedError()
