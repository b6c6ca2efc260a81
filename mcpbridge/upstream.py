"""The one way to Hoursmith's REST API: one origin, the caller's own token, nothing followed, nothing repeated.

What can go wrong, as exceptions (an answer with an error status is an answer, not an exception):

    UpstreamError
    ├── UpstreamUnreachableError   no connection: nothing was sent
    ├── UpstreamTimeoutError       sent, no whole answer within the time limit: it may have been carried out
    ├── UpstreamDroppedError       the line broke while waiting: it may have been carried out
    └── UpstreamAnswerError        an answer that cannot be used: it was probably carried out
        ├── UpstreamRedirectError      it wanted us to go elsewhere; tokens do not travel
        ├── UpstreamTooLargeError      longer than MAX_ANSWER_BYTES
        └── UpstreamMalformedError     not the JSON that the contract promises
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import httpx
import orjson
from httpx_aiohttp import AiohttpTransport

from mcpbridge.credentials import Credential
from mcpbridge.telemetry import spans
from mcpbridge.tools import RestRequest

MAX_ANSWER_BYTES = 8 * 1024 * 1024
CONNECT_TIMEOUT_S = 5.0
_HEADERS = (
    (b"Accept", b"application/json"),
    (b"Accept-Encoding", b"identity"),
    (b"User-Agent", b"hoursmith-console"),
)


class UpstreamError(Exception):
    """Hoursmith gave no usable answer."""

    code = "upstream_error"
    status = 502
    may_be_done = True


class UpstreamUnreachableError(UpstreamError):
    code = "upstream_unreachable"
    may_be_done = False


class UpstreamTimeoutError(UpstreamError):
    code = "upstream_timeout"
    status = 504


class UpstreamDroppedError(UpstreamError):
    code = "upstream_dropped"


class UpstreamAnswerError(UpstreamError):
    code = "upstream_answer"


class UpstreamRedirectError(UpstreamAnswerError):
    code = "upstream_redirect"
    may_be_done = False


class UpstreamTooLargeError(UpstreamAnswerError):
    code = "upstream_too_large"


class UpstreamMalformedError(UpstreamAnswerError):
    code = "upstream_malformed"


@dataclass(frozen=True, slots=True)
class Reply:
    """Hoursmith's answer. `payload` is the JSON object, `{"data": None}` for an empty success.

    For an error status whose body is not the contract's envelope, `payload` is empty.
    """

    status: int
    payload: dict[str, Any]
    retry_after: int | None = None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def error(self) -> Mapping[str, Any]:
        """The contract's error object, or an empty one."""
        error = self.payload.get("error")
        return error if isinstance(error, dict) else {}


class Upstream:
    """Sends REST requests to one fixed origin. `transport` is anything that speaks httpx's transport interface."""

    def __init__(self, base_url: str, *, timeout_s: float, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._base = base_url.rstrip("/")
        parts = urlsplit(self._base)
        # Host and port of the origin.
        self.address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        self._transport = transport
        self._timeout_s = timeout_s
        connect = min(CONNECT_TIMEOUT_S, timeout_s)
        # Four kinds apart; the whole exchange has `timeout_s` besides, against an answer that drips.
        self._timeouts = {"connect": connect, "pool": connect, "read": timeout_s, "write": timeout_s}

    async def aclose(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()

    async def send(self, call: RestRequest, credential: Credential) -> Reply:
        """The answer to `call`, made once with the caller's own token; raises UpstreamError."""
        with spans.upstream_call(call.method, call.route, self.address) as span:
            reply = await self._exchange(call, credential)
            span.answered(reply.status)
            return reply

    async def _exchange(self, call: RestRequest, credential: Credential) -> Reply:
        if self._transport is None:
            self._transport = pooled_transport()
        request = self._request(call, credential)
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._transport.handle_async_request(request)
                try:
                    return await _read(response, wants_data=call.method == "GET")
                finally:
                    await response.aclose()
        except TimeoutError:
            raise UpstreamTimeoutError from None
        except UpstreamError:
            raise
        except Exception as error:
            # The cause is not chained: an HTTP library's error may print the request, token included.
            raise _named(error) from None

    def _request(self, call: RestRequest, credential: Credential) -> httpx.Request:
        # Named one by one: nothing that the client sent travels on but its token. As bytes, since httpx spends
        # longer on spelling them than on the rest of the request.
        headers = [*_HEADERS, (b"Authorization", b"Bearer " + credential.token.encode("ascii"))]
        content = None
        if call.idempotency_key is not None:
            headers.append((b"Idempotency-Key", call.idempotency_key.encode("ascii")))
        if call.body is not None:
            headers.append((b"Content-Type", b"application/json"))
            content = orjson.dumps(call.body)
        return httpx.Request(
            call.method,
            f"{self._base}{call.path}?{urlencode(call.query, quote_via=quote)}"
            if call.query
            else self._base + call.path,
            headers=headers,
            content=content,
            extensions={"timeout": self._timeouts},
        )


def pooled_transport() -> httpx.AsyncBaseTransport:
    """httpx on aiohttp's connection pool: no cookies, no environment proxies, and no repeats."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=256, keepalive_timeout=60),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        max_line_size=8190,
        max_field_size=16384,
    )
    # aiohttp sends a DELETE again when a kept-alive connection turns out to be closed, although the first
    # may have been carried out. It has no public switch for that; a test counts the requests that arrive.
    session._retry_connection = False
    return AiohttpTransport(client=session)


def application_transport(application: Any) -> httpx.AsyncBaseTransport:
    """A transport that calls an ASGI application in this process: the embedded sandbox."""
    return httpx.ASGITransport(app=application, raise_app_exceptions=False)


async def _read(response: httpx.Response, *, wants_data: bool) -> Reply:
    status = response.status_code
    if 300 <= status < 400:
        raise UpstreamRedirectError
    retry_after = _seconds(response.headers.get("retry-after"))
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        # We asked for none. A small packed body may unpack to gigabytes, so it is left unread.
        if 200 <= status < 300:
            raise UpstreamMalformedError
        return Reply(status, {}, retry_after)
    body = bytearray()
    # The raw stream: nothing is packed, and httpx's reader would copy every piece once more.
    async for chunk in response.stream:  # type: ignore[union-attr]
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise UpstreamTooLargeError
    payload = _object(bytes(body))
    if not 200 <= status < 300:
        return Reply(status, payload if payload is not None else {}, retry_after)
    if not body.strip() and (status == 204 or not wants_data):
        return Reply(status, {"data": None}, retry_after)
    if payload is None:
        raise UpstreamMalformedError
    return Reply(status, payload if "data" in payload else {"data": payload}, retry_after)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _seconds(header: str | None) -> int | None:
    """Retry-After in seconds; the date form is left unread, since Hoursmith sends seconds."""
    return int(header) if header is not None and header.isascii() and header.isdigit() and len(header) < 7 else None


def _named(error: Exception) -> UpstreamError:
    """Our name for an error of the HTTP libraries.

    The transport reports every aiohttp connection error as a connect timeout, so the cause is what tells.
    """
    cause = error.__cause__ if isinstance(error, httpx.HTTPError) else None
    match cause or error:
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError() | aiohttp.InvalidURL():
            return UpstreamUnreachableError()
        case aiohttp.ServerTimeoutError():
            return UpstreamTimeoutError()
        case aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError() | ConnectionError():
            return UpstreamDroppedError()
        case aiohttp.ClientResponseError():
            return UpstreamMalformedError()
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout() | httpx.UnsupportedProtocol():
            return UpstreamUnreachableError()
        case httpx.TimeoutException():
            return UpstreamTimeoutError()
        case httpx.NetworkError() | httpx.RemoteProtocolError():
            return UpstreamDroppedError()
        case httpx.DecodingError():
            return UpstreamMalformedError()
    return UpstreamDroppedError()
