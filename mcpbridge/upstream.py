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
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import httpx
import orjson
from yarl import URL

from mcpbridge.credentials import Credential
from mcpbridge.telemetry import spans
from mcpbridge.tools import RestRequest

MAX_ANSWER_BYTES = 8 * 1024 * 1024
CONNECT_TIMEOUT_S = 5.0
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "hoursmith-console"}


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
    """Sends REST requests to one fixed origin: over the network, or through `transport`, httpx's interface, instead."""

    def __init__(self, base_url: str, *, timeout_s: float, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._base = base_url.rstrip("/")
        parts = urlsplit(self._base)
        # Host and port of the origin.
        self.address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        self._timeout_s = timeout_s
        self._line: _Line = _Network(timeout_s) if transport is None else _Transport(transport, timeout_s)

    async def aclose(self) -> None:
        await self._line.aclose()

    async def send(self, call: RestRequest, credential: Credential) -> Reply:
        """The answer to `call`, made once with the caller's own token; raises UpstreamError."""
        with spans.upstream_call(call.method, call.route, self.address) as span:
            reply = await self._exchange(call, credential)
            span.answered(reply.status)
            return reply

    async def _exchange(self, call: RestRequest, credential: Credential) -> Reply:
        # Named one by one, here and in _HEADERS: nothing that the client sent travels on but its token.
        headers = {"Authorization": f"Bearer {credential.token}"}
        if call.idempotency_key is not None:
            headers["Idempotency-Key"] = call.idempotency_key
        body = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            body = orjson.dumps(call.body)
        url = self._base + call.path
        if call.query:
            url += f"?{urlencode(call.query, quote_via=quote)}"
        try:
            # Of the whole exchange, against an answer that drips.
            async with asyncio.timeout(self._timeout_s):
                answer = await self._line.exchange(call.method, url, headers, body)
        except TimeoutError:
            raise UpstreamTimeoutError from None
        except UpstreamError:
            raise
        except Exception as error:
            # The cause is not chained: an HTTP library's error may print the request, token included.
            raise _named(error) from None
        return _reply(answer, wants_data=call.method == "GET")


class _Answer(NamedTuple):
    """An HTTP answer; `body` is None where it was left unread."""

    status: int
    retry_after: str | None
    body: bytearray | None


class _Line(Protocol):
    """How requests get to Hoursmith. It follows nothing, keeps nothing, and sends nothing twice."""

    async def exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> _Answer: ...

    async def aclose(self) -> None: ...


class _Network:
    """aiohttp's connection pool: no redirects, no cookies, no environment proxies, and no repeats.

    Spoken to directly: httpx's objects around it would cost a call as much as the exchange itself.
    """

    def __init__(self, timeout_s: float) -> None:
        connect = min(CONNECT_TIMEOUT_S, timeout_s)
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect, sock_connect=connect)
        self._session: aiohttp.ClientSession | None = None

    async def exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> _Answer:
        session = self._session or self._open()
        # The address is encoded already, and must not be read and spelled anew.
        asking = session.request(method, URL(url, encoded=True), headers=headers, data=body, allow_redirects=False)
        async with asking as response:
            said = response.headers
            return await _read(
                response.status,
                said.get("Retry-After"),
                said.get("Content-Encoding"),
                response.content.iter_any(),
            )

    def _open(self) -> aiohttp.ClientSession:
        # Made with the first request, on the loop that serves.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=256, keepalive_timeout=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            timeout=self._timeout,
            auto_decompress=False,
            trust_env=False,
            max_line_size=8190,
            max_field_size=16384,
        )
        # aiohttp sends a DELETE again when a kept-alive connection turns out to be closed, although the first
        # may have been carried out. It has no public switch for that; a test counts the requests that arrive.
        self._session._retry_connection = False
        return self._session

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


class _Transport:
    """A transport of httpx, called without its client, which adds cookies, redirects and proxies."""

    def __init__(self, transport: httpx.AsyncBaseTransport, timeout_s: float) -> None:
        self._transport = transport
        connect = min(CONNECT_TIMEOUT_S, timeout_s)
        self._timeouts = {"connect": connect, "pool": connect, "read": timeout_s, "write": timeout_s}

    async def exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> _Answer:
        request = httpx.Request(
            method, url, headers={**_HEADERS, **headers}, content=body, extensions={"timeout": self._timeouts}
        )
        response = await self._transport.handle_async_request(request)
        try:
            said = response.headers
            # The raw stream: nothing is packed, and httpx's reader would copy every piece once more.
            pieces = cast(httpx.AsyncByteStream, response.stream)
            return await _read(
                response.status_code, said.get("retry-after"), said.get("content-encoding"), aiter(pieces)
            )
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        await self._transport.aclose()


def application_transport(application: Any) -> httpx.AsyncBaseTransport:
    """A transport that calls an ASGI application in this process: the embedded sandbox."""
    return httpx.ASGITransport(app=application, raise_app_exceptions=False)


async def _read(status: int, retry_after: str | None, encoding: str | None, pieces: AsyncIterator[bytes]) -> _Answer:
    if 300 <= status < 400:
        raise UpstreamRedirectError
    if encoding is not None and encoding.lower() != "identity":
        # We asked for none. A small packed body may unpack to gigabytes, so it is left unread.
        return _Answer(status, retry_after, None)
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise UpstreamTooLargeError
    return _Answer(status, retry_after, body)


def _reply(answer: _Answer, *, wants_data: bool) -> Reply:
    status, retry_after = answer.status, _seconds(answer.retry_after)
    payload = None if answer.body is None else _object(answer.body)
    if not 200 <= status < 300:
        return Reply(status, payload if payload is not None else {}, retry_after)
    if answer.body is not None and not answer.body.strip() and (status == 204 or not wants_data):
        return Reply(status, {"data": None}, retry_after)
    if payload is None:
        raise UpstreamMalformedError
    return Reply(status, payload if "data" in payload else {"data": payload}, retry_after)


def _object(body: bytearray) -> dict[str, Any] | None:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _seconds(header: str | None) -> int | None:
    """Retry-After in seconds; the date form is left unread, since Hoursmith sends seconds."""
    return int(header) if header is not None and header.isascii() and header.isdigit() and len(header) < 7 else None


def _named(error: Exception) -> UpstreamError:
    """Our name for an error of the HTTP libraries."""
    match error:
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
