"""Transport to Hoursmith over the network: a pool of HTTP/1.1 connections, one request at a time on each.

The pool is our own so that no request is sent twice, or after its caller has given up (ADR 93). A connection on
which anything arrived unasked, its end included, takes no other request, so that no caller can get another's response.
llhttp, through httptools, parses the responses.
"""

import asyncio
import re
import select
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

import aiohappyeyeballs
import httptools

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

MAX_CONNECTIONS = 256
# Per response, including interim ones.
MAX_HEADER_BYTES = 64 * 1024
# Including chunk headers and trailers, which have no limit of their own.
MAX_RECEIVED_BYTES = 2 * MAX_RESPONSE_BYTES
# A connection that was idle for longer was probably closed by the server.
KEPT_FOR_S = 60.0
# The next address of a host is tried if one does not answer within this (RFC 8305).
_NEXT_ADDRESS_S = 0.25
_TARGET = re.compile(r"/[\x21-\x7e]*")
_VALUE = re.compile(r"[\x20-\x7e]*")


class HttpTransport:
    """A pool of connections to one origin, bound to the event loop of the first request."""

    def __init__(self, origin: str, *, timeout_s: float) -> None:
        parts = urlsplit(origin)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._is_encrypted = parts.scheme == "https"
        self._context: ssl.SSLContext | None = None
        self._timeout_s = timeout_s
        self._connect_s = connect_timeout(timeout_s)
        lines = {"Host": parts.netloc.rpartition("@")[2], **HEADERS}
        self._head = " HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        # Idle connections, the one used last at the end.
        self._idle: deque[_Connection] = deque()

    async def exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> RawResponse:
        """Send one request once and return the response; raise UpstreamError. Cancelling closes the connection."""
        request = self._request(method, target, headers, body)
        now = asyncio.get_running_loop().time()
        connect_deadline = now + self._connect_s
        await self._enter(connect_deadline)
        try:
            connection = self._idle_connection() or await self._connect_within(connect_deadline)
            try:
                return await connection.ask(request, now + self._timeout_s)
            finally:
                self._put_back(connection)
        finally:
            self._slots.release()

    async def aclose(self) -> None:
        while self._idle:
            self._idle.pop().end()
        # Let the loop close the sockets before it ends.
        await asyncio.sleep(0)

    def _request(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        # A line break in a header would allow a second request behind the first.
        if not _TARGET.fullmatch(target) or not all(map(_VALUE.fullmatch, headers.values())):
            raise UpstreamUnreachableError
        head = method + " " + target + self._head
        for name, value in headers.items():
            head += f"{name}: {value}\r\n"
        if body is None and method in ("GET", "DELETE"):
            return (head + "\r\n").encode("ascii")
        body = body or b""
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode("ascii") + body

    async def _enter(self, until: float) -> None:
        if not self._slots.locked():
            # Does not wait.
            await self._slots.acquire()
            return
        try:
            async with asyncio.timeout_at(until):
                await self._slots.acquire()
        except TimeoutError:
            raise UpstreamUnreachableError from None

    def _idle_connection(self) -> "_Connection | None":
        """Return the open connection that was used last, if any; close those idle for too long."""
        oldest = asyncio.get_running_loop().time() - KEPT_FOR_S
        while self._idle and self._idle[0].idle_since < oldest:
            self._idle.popleft().end()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return None

    def _put_back(self, connection: "_Connection") -> None:
        if connection.is_open:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)

    async def _connect_within(self, until: float) -> "_Connection":
        try:
            async with asyncio.timeout_at(until):
                return await self._connect()
        except (OSError, UnicodeError):
            # TimeoutError and TLS errors are OSErrors; an invalid host name is a UnicodeError.
            raise UpstreamUnreachableError from None

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        if self._is_encrypted and self._context is None:
            self._context = ssl.create_default_context()
            self._context.set_alpn_protocols(["http/1.1"])
        addresses = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        connected = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=_NEXT_ADDRESS_S, interleave=1, loop=loop
        )
        try:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            _, connection = await loop.create_connection(
                _Connection,
                sock=connected,
                ssl=self._context,
                server_hostname=self._host if self._is_encrypted else None,
            )
        except BaseException:
            connected.close()
            raise
        return connection


class _Connection(asyncio.Protocol):
    """One connection, with one request at a time. llhttp's parser calls the methods that start with `on_`."""

    idle_since = 0.0

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        # A reference cycle until the connection is lost.
        self._parser = httptools.HttpResponseParser(self)
        self._asked: asyncio.Future[RawResponse] | None = None
        self._begin()

    def _begin(self) -> None:
        self._body: bytearray | None = bytearray()
        self._fault: UpstreamError | None = None
        self._received_bytes = self._field_bytes = 0
        self._status = 0
        self._is_last = self._is_whole = False
        self.on_message_begin()

    @property
    def is_open(self) -> bool:
        """Return whether it can take a request: nothing has arrived either, not even what the loop has yet to read."""
        is_free = self._transport is not None and not self._transport.is_closing() and self._asked is None
        return is_free and not self._arrived.poll(0)

    def end(self) -> None:
        """Close it at once, even during a request."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    async def ask(self, request: bytes, deadline: float) -> RawResponse:
        """Send `request` and return the response, until `deadline` on the loop's clock; raise UpstreamError."""
        if self._transport is None:
            raise UpstreamUnreachableError
        self._begin()
        loop = asyncio.get_running_loop()
        self._asked = loop.create_future()
        # A plain timer: `asyncio.timeout` costs several times as much.
        late = loop.call_at(deadline, self._hand_out, UpstreamTimeoutError())
        self._transport.write(request)
        try:
            return await self._asked
        except asyncio.CancelledError:
            # Its response may still arrive, and must not be taken for that of another request.
            self.end()
            raise
        finally:
            late.cancel()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._arrived = select.poll()
        self._arrived.register(transport.get_extra_info("socket"), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        if self._asked is None:
            # Unsolicited data belongs to no request.
            self.end()
            return
        self._received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # Data after the end of a response is not part of it.
            self._is_last = True
            if not self._is_whole:
                self._fault = self._fault or UpstreamMalformedError()
        if not self._is_in_body and self._received_bytes > MAX_HEADER_BYTES:
            self._fault = self._fault or UpstreamMalformedError()
        elif self._received_bytes > MAX_RECEIVED_BYTES:
            self._fault = self._fault or UpstreamTooLargeError()
        if self._fault is not None or self._is_whole:
            self._hand_out(self._fault)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._asked is not None:
            # A response without a length ends with its connection.
            is_whole = self._is_in_body and not self._has_length and error is None
            self._hand_out(None if is_whole else UpstreamDroppedError())
        del self._parser

    def _hand_out(self, fault: UpstreamError | None) -> None:
        asked, self._asked = self._asked, None
        if fault is not None or self._is_last:
            self.end()
        if asked is None or asked.done():
            return
        if fault is not None:
            asked.set_exception(fault)
        else:
            asked.set_result(RawResponse(self._status, self._retry_after, self._body))

    def on_message_begin(self) -> None:
        if self._is_whole:
            self._is_last = True
            return
        self._is_in_body = False
        self._has_length = False
        self._encoding: str | None = None
        self._retry_after: str | None = None

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_body or self._is_whole:
            return
        self._field_bytes += len(name) + len(value)
        match name.lower():
            case b"content-length":
                self._has_length = True
            case b"transfer-encoding" if value.lower() == b"chunked":
                self._has_length = True
            case b"transfer-encoding":
                self._fault = UpstreamMalformedError()
            case b"content-encoding":
                self._encoding = value.decode("latin-1")
            case b"retry-after":
                self._retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._is_whole:
            return
        self._status = status = self._parser.get_status_code()
        if self._field_bytes > MAX_HEADER_BYTES:
            self._fault = UpstreamMalformedError()
        elif 300 <= status < 400:
            self._fault = UpstreamRedirectError()
        elif is_compressed(self._encoding):
            self._body = None
            self._is_whole = self._is_last = True
        # An interim response has no body; the final one follows.
        self._is_in_body = status >= 200

    def on_body(self, data: bytes) -> None:
        if self._body is None or self._is_whole or self._fault is not None:
            return
        if len(self._body) + len(data) > MAX_RESPONSE_BYTES:
            self._fault = UpstreamTooLargeError()
        else:
            self._body += data

    def on_message_complete(self) -> None:
        if self._is_in_body and not self._is_whole:
            self._is_whole = True
            # Only known here: llhttp resets it after the end of the message.
            self._is_last = not self._parser.should_keep_alive()
