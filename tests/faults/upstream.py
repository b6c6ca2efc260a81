"""A Hoursmith to order: a real server on loopback that speaks enough of the contract, and fails as it is told.

It works on the bare line, because the faults that matter lie below HTTP: half an answer, a broken line, a lie
about the length. It remembers every request exactly as it came.
"""

import contextlib
import itertools
import json
import secrets
import socket
import socketserver
import ssl
import string
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.token_shapes import assembled_token

BASE = "/api/v1"
COLLECTIONS = {
    "delete_client": "clients",
    "archive_project": "projects",
    "archive_task": "tasks",
    "delete_time_entry": "time-entries",
    "delete_expense": "expenses",
}
ALPHABET = string.ascii_letters + string.digits


def new_token() -> str:
    """A well-formed token with a random prefix and secret."""
    return assembled_token(secrets.token_hex(6), "".join(secrets.choice(ALPHABET) for _ in range(32)))


@dataclass(frozen=True)
class Seen:
    """A request as it came in, and from where. `connection` tells requests on one kept-alive connection from others."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    address: str

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    @property
    def token(self) -> str:
        return self.header("Authorization").removeprefix("Bearer ")

    @property
    def changes(self) -> bool:
        return self.method != "GET"


class Gate:
    """A fault that takes the request, and answers as usual only when the test says so."""

    def __init__(self, hoursmith: "Hoursmith") -> None:
        self._hoursmith = hoursmith
        self.arrived = threading.Event()
        self.may_answer = threading.Event()

    def __call__(self, line: "Line", request: Seen) -> None:
        self.arrived.set()
        self.may_answer.wait(20)
        self._hoursmith.answer(line, request)


class LineClosedError(Exception):
    """The connection is over."""


class Line:
    """The server's end of one connection, down to the bytes."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def raw(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError:
            raise LineClosedError from None

    def head(self, status: int, headers: dict[str, str]) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.raw(f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode("latin-1"))

    def answer(self, status: int, body: Any = None, **headers: str) -> None:
        """A whole answer; `body` is bytes, or something to send as JSON. Underscores in header names are dashes."""
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "application/json" if content else "text/plain"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        length = {} if status == 204 else {"Content-Length": str(len(content))}
        self.head(status, {"Content-Type": kind, **length, **named})
        self.raw(content)

    def error(self, status: int, code: str, message: str = "Not now.", **headers: str) -> None:
        self.answer(status, {"error": {"code": code, "message": message}}, **headers)

    def close(self) -> None:
        raise LineClosedError

    def reset(self) -> None:
        """Break the line as a crashed machine's kernel does."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


Fault = Callable[[Line, Seen], None]


@dataclass
class Hoursmith:
    """The running server. `tokens` are those it accepts, with the role each has."""

    port: int = 0
    tokens: dict[str, str] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    faults: list[tuple[str, Fault]] = field(default_factory=list)
    listener: "_Listener | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{BASE}"

    @property
    def changes(self) -> list[Seen]:
        """The requests that wanted to change something."""
        return [request for request in self.seen if request.changes]

    def mint(self, role: str = "OWNER") -> str:
        """A token that it accepts."""
        token = new_token()
        self.tokens[token] = role
        return token

    def record_for(self, tool: str, name: str = "Globex") -> str:
        """The id of a new record that `tool` can destroy."""
        record_id = str(uuid.uuid4())
        named = dict.fromkeys(("name", "note", "description"), name)
        self.records[f"/{COLLECTIONS[tool]}/{record_id}"] = {"id": record_id, "orgId": "org-1", **named}
        return record_id

    @contextmanager
    def down(self) -> Iterator[None]:
        """Nobody listens there, and the lines that were open are broken."""
        assert self.listener is not None
        self.listener.stop()
        try:
            yield
        finally:
            self.listener.start()

    @contextmanager
    def failing(self, method: str, fault: Fault) -> Iterator[None]:
        """Answer requests with `method`, except for `/me`, by `fault`. `ME` stands for `/me` itself."""
        plan = (method, fault)
        self.faults.append(plan)
        try:
            yield
        finally:
            self.faults.remove(plan)

    def serve(self, line: Line, request: Seen) -> None:
        self.seen.append(request)
        kind = "ME" if request.path == f"{BASE}/me" else request.method
        for method, fault in reversed(self.faults):
            if method == kind:
                return fault(line, request)
        return self.answer(line, request)

    def answer(self, line: Line, request: Seen) -> None:
        """Answer as the contract says."""
        role = self.tokens.get(request.token)
        path = request.path.removeprefix(BASE).partition("?")[0]
        if role is None:
            return line.error(401, "unauthenticated")
        if path == "/me":
            me = {"orgId": "org-1", "orgName": "Studio Nord", "plan": "agency", "role": role}
            name = request.token.split("_")[2]
            return line.answer(200, {"data": {**me, "tokenName": name, "scopes": ["read", "write"], "projectIds": []}})
        if request.method == "GET" and path.strip("/") in COLLECTIONS.values():
            return line.answer(200, {"data": [], "pagination": {"nextCursor": None, "limit": 50}})
        record = self.records.get(path.removesuffix("/archive"))
        if record is None:
            return line.error(404, "not_found")
        if request.method == "DELETE":
            del self.records[path]
            return line.answer(204)
        return line.answer(200, {"data": record})


class _Listener:
    """The port that it is reached at, and the lines that are open there."""

    def __init__(self, hoursmith: Hoursmith, tls: ssl.SSLContext | None) -> None:
        self._hoursmith = hoursmith
        self._tls = tls
        self._numbers = itertools.count(1)
        self._lines: set[socket.socket] = set()
        self._server: socketserver.TCPServer | None = None

    def start(self) -> None:
        """Listen, on the port of before where there was one."""
        listener = self

        class Connection(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                number = next(listener._numbers)
                line = Line(self.connection)
                listener._lines.add(self.connection)
                with contextlib.suppress(LineClosedError, OSError, ValueError):
                    while request := _read(self.rfile, number, self.client_address[0]):
                        listener._hoursmith.serve(line, request)
                listener._lines.discard(self.connection)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 64

        self._server = Server(("0.0.0.0" if self._tls else "127.0.0.1", self._hoursmith.port), Connection)
        if self._tls:
            # Hands are shaken where the request is read: whoever does not must not keep others waiting.
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._hoursmith.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Listen no more, and break what is open."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        for line in tuple(self._lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Hoursmith]:
    """A Hoursmith on a loopback port of its own; with `tls` at every address of the machine, over https."""
    hoursmith = Hoursmith()
    hoursmith.listener = _Listener(hoursmith, tls)
    hoursmith.listener.start()
    try:
        yield hoursmith
    finally:
        hoursmith.listener.stop()


def _read(stream: Any, connection: int, address: str) -> Seen | None:
    first = stream.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers = []
    while (line := stream.readline().decode("latin-1").strip("\r\n")) != "":
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    return Seen(first[0], first[1], headers, stream.read(length), connection, address)


def pause(seconds: float) -> Fault:
    """Take the request and say nothing for a while."""

    def fault(line: Line, request: Seen) -> None:
        time.sleep(seconds)
        line.close()

    return fault


def answering(status: int, body: Any = None, **headers: str) -> Fault:
    """Give this answer."""
    return lambda line, request: line.answer(status, body, **headers)


def refusing(status: int, code: str) -> Fault:
    """Refuse in the contract's words."""
    return lambda line, request: line.error(status, code)


def slowly(hoursmith: Hoursmith, seconds: float) -> Fault:
    """Answer as the contract says, but take that long."""

    def fault(line: Line, request: Seen) -> None:
        time.sleep(seconds)
        hoursmith.answer(line, request)

    return fault


def drop_at_once(line: Line, request: Seen) -> None:
    """Close the line without a word."""
    line.close()


def reset_at_once(line: Line, request: Seen) -> None:
    """Break the line without a word."""
    line.reset()


def drop_in_headers(line: Line, request: Seen) -> None:
    """Close the line in the middle of the headers."""
    line.raw(b"HTTP/1.1 200 OK\r\nContent-Type: appl")
    line.close()


def drop_in_body(line: Line, request: Seen) -> None:
    """Close the line in the middle of the body."""
    line.head(200, {"Content-Type": "application/json", "Content-Length": "500"})
    line.raw(b'{"data": {"id": ')
    line.close()


def drop_in_chunk(line: Line, request: Seen) -> None:
    """Close the line in the middle of a chunked body."""
    line.head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    line.raw(b'100\r\n{"data": {"id": ')
    line.close()
