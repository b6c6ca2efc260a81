"""HTTP connections with limits: of a request's head, of requests that wait, of time for reading, and of their number.

uvicorn waits without limit for the first request of a connection, for the rest of a head and for a client that does
not read its response, takes heads of any size and requests without end before the first is answered, and accepts
connections until no file can be opened any more, not even one for the database. A proxy in front may have such limits;
the product does not rely on one.
"""

import asyncio
import http
import resource
from collections import deque
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# From the connection, or the first byte of a later request, to the end of the request's headers.
HEAD_S = 10.0
# How long a client has to ask a worker that ends: one that has just connected, and one that has asked before.
FIRST_REQUEST_AT_END_S = 1.0
NEXT_REQUEST_AT_END_S = 0.5
# How long a client may read nothing of a response that waits for it.
UNREAD_RESPONSE_S = 30.0
# Bytes of a request's target, of one header and of all, and headers of a request.
LONGEST_TARGET = 4094
LONGEST_HEADER = 8190
LONGEST_HEADERS = 65_536
MOST_HEADERS = 100
# Bytes received that make up no whole header or other part of a request yet. The parser copies them at every read.
LONGEST_UNPARSED = 65_536
# Requests of one connection that wait for the response to an earlier one. uvicorn reads on whenever it begins the next,
# and a client that sends without end would fill the memory. Common clients and proxies send none.
MOST_WAITING = 8
# What a worker opens besides its clients' connections: 256 to Hoursmith, the database, logs, itself.
OTHER_FILES = 400


class Connections:
    """The open connections of a worker; makes the protocol for each new one."""

    def __init__(self, most: int) -> None:
        """Allow `most` connections, and fewer where the process may not open as many files."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.most = max(16, min(most, files - OTHER_FILES))
        self._open: dict[Connection, None] = {}

    def __call__(self, **options: Any) -> "Connection":
        return Connection(self, **options)

    def add(self, connection: "Connection") -> None:
        """Take `connection` in, and close one that waits for its client where there are too many."""
        self._open[connection] = None
        if len(self._open) > self.most:
            # The longest-idle one. The newest has no request, and is the last to give way.
            idle = next(each for each in self._open if each.is_idle)
            if idle is not connection:
                idle.close()
            elif not self._end_unfinished_request():
                connection.close()

    def _end_unfinished_request(self) -> bool:
        """End the first connection whose request lacks a part of its body, of which nothing was done; if there is any.

        Otherwise clients that never send theirs would keep all others out.
        """
        found = next((each for each in self._open if each.awaits_body), None)
        if found is not None:
            self.remove(found)
            found.transport.abort()
        return found is not None

    def renew(self, connection: "Connection") -> None:
        """Move a connection to the end, since it is idle from now on."""
        if connection in self._open:
            del self._open[connection]
            self._open[connection] = None

    def remove(self, connection: "Connection") -> None:
        """Forget a connection that is closed, if it is not forgotten yet."""
        self._open.pop(connection, None)


class Connection(HttpToolsProtocol):
    """A connection whose client must ask within time and size, and read the response."""

    def __init__(self, connections: Connections, **options: Any) -> None:
        super().__init__(**options)
        self._connections = connections
        self._head: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._refusal = http.HTTPStatus.BAD_REQUEST
        self._has_asked = self._is_ending = self._is_in_head = False
        self._unparsed = self._header_bytes = 0
        # Requests that had no response yet when the next one came.
        self._earlier: deque[RequestResponseCycle] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether the application handles no request of it."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def awaits_body(self) -> bool:
        """Whether the only request that it handles lacks a part of its body, and has no response yet."""
        is_unanswered = not self.is_idle and not self.cycle.response_started
        return is_unanswered and self.cycle.more_body and all(each.response_complete for each in self._earlier)

    def close(self) -> None:
        """Close it as soon as the client has what was written."""
        self._connections.remove(self)
        self.transport.close()

    def shutdown(self) -> None:
        """Close it after the response to the next request, or soon if there is none.

        The request may be on its way: its client gets an answer, and would not know that it may try again.
        """
        if not self.is_idle:
            super().shutdown()
        elif not self._is_ending:
            self._is_ending = True
            wait_s = NEXT_REQUEST_AT_END_S if self._has_asked else FIRST_REQUEST_AT_END_S
            self.loop.call_later(wait_s, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self.is_idle:
            self.close()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_head()
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # uvicorn tells the newest request only; an earlier one would write its response, and fail.
        for cycle in self._earlier:
            cycle.disconnected = True
            cycle.message_event.set()
        self._connections.remove(self)
        for timer in (self._head, self._unread, self.timeout_keep_alive_task):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > LONGEST_UNPARSED and not self.transport.is_closing():
            self._refusal = http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            self.send_400_response(self._refusal.phrase)
            return
        # uvicorn ends the wait for a request by any byte, even one that begins none.
        if self.is_idle and self._head is None and self.timeout_keep_alive_task is None:
            self._keep_alive()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._connections.renew(self)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._header_bytes = True, 0
        if self._head is None:
            self._await_head()

    def on_url(self, url: bytes) -> None:
        self._unparsed = 0
        super().on_url(url)
        if len(self.url) > LONGEST_TARGET:
            self._refuse(http.HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._unparsed = 0
        if not self._is_in_head:
            # Behind the body. Proxies that replace headers pass it on (RFC 9110, section 6.5.1).
            return
        # The parser leaves what follows a value (RFC 9112, section 5.1).
        super().on_header(name, value.rstrip(b" \t"))
        size = len(name) + len(value)
        self._header_bytes += size
        is_too_large = size > LONGEST_HEADER or self._header_bytes > LONGEST_HEADERS
        if is_too_large or len(self.headers) > MOST_HEADERS:
            self._refuse(http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        if self._head is not None:
            self._head.cancel()
            self._head = None
        if not self.is_idle:
            self._remember_earlier()
            if len(self._earlier) > MOST_WAITING:
                self._refuse(http.HTTPStatus.TOO_MANY_REQUESTS)
        target = self.url
        # uvicorn drops the host of a target that is a whole URL, by which the application has to go.
        self.url = target if target.startswith(b"/") else b"/"
        super().on_headers_complete()
        self._has_asked = True
        if self._is_ending:
            self.cycle.keep_alive = False
        if target.startswith(b"/"):
            return
        path, _, query = target.partition(b"?")
        self.scope["path"] = path.decode("latin-1")
        self.scope["raw_path"], self.scope["query_string"] = path, query

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not understood, or is too large, and close the connection."""
        if not self.is_idle:
            # An earlier request has no answer yet, and this one would be taken for it.
            self.transport.abort()
            return
        body = f"{self._refusal.phrase}.\n".encode()
        head = f"HTTP/1.1 {self._refusal} {self._refusal.phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        self.transport.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        self.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()

    def _remember_earlier(self) -> None:
        # They are answered in order.
        while self._earlier and self._earlier[0].response_complete:
            self._earlier.popleft()
        self._earlier.append(self.cycle)

    def _keep_alive(self) -> None:
        if not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _await_head(self) -> None:
        self._head = self.loop.call_later(HEAD_S, self._close_without_head)

    def _close_without_head(self) -> None:
        if self.is_idle:
            self.close()
        else:
            # The response to the request before comes first: its client must know what became of a change.
            self.cycle.keep_alive = False

    def _refuse(self, status: http.HTTPStatus) -> None:
        self._refusal = status
        # The parser passes it on, and `data_received` answers.
        raise httptools.HttpParserError(status.phrase)

    def _watch(self, unread: int) -> None:
        self._unread = self.loop.call_later(UNREAD_RESPONSE_S, self._abort_if_unread, unread)

    def _abort_if_unread(self, before: int) -> None:
        unread = self.transport.get_write_buffer_size()
        if unread >= before:
            # Closing would wait for the client to read the rest.
            self.transport.abort()
        else:
            self._watch(unread)
