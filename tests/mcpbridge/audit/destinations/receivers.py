"""Receivers on loopback that behave as they are told: an HTTP server and a syslog server."""

import contextlib
import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

# What a receiver can do with a request, beside answering with a status.
HANG, DIE_SILENT, DIE_IN_HEADERS, DIE_IN_BODY, NO_HTTP, ENDLESS = (
    "hang",
    "die silent",
    "die in headers",
    "die in body",
    "no http",
    "endless",
)
_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
EMPTY = _OK + b"Content-Length: 0\r\n\r\n"
# What counts as a confirmation, and what does not, though it begins like one.
TAKEN = (
    b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + EMPTY,
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + EMPTY,
    b"HTTP/1.0 200 OK\r\n\r\nthanks",
    _CHUNKED + b"2\r\nok\r\n0\r\n\r\n",
    _OK + b"Content-Length: 1000000\r\n\r\n" + b"x" * 200_000,
    _OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno",
)
BROKEN = (
    _CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    _CHUNKED + b"zz\r\nhello",
    _CHUNKED + b"5\r\nhel",
    _CHUNKED + b"f" * 30 + b"\r\n",
    _OK + b"Content-Length: -1\r\n\r\n",
    _OK + b"Content-Length: 1_0\r\n\r\n0123456789",
    _OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    _OK + b"Transfer-Encoding: gzip, identity\r\n\r\n",
    _OK + b": no name\r\n\r\n",
    _OK + b"X-Long: " + b"x" * 300_000 + b"\r\n\r\n",
    b"HTTP/1.1 2\xb20 OK\r\n\r\n",
    b"HTTP/1.1 99999 OK\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + EMPTY,
    b"\0" * 1000,
)
# Whole answers are bytes, as they go over the network.
Behaviour = str | int | bytes


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.body.splitlines()]

    @property
    def sequences(self) -> list[int]:
        return [record["sequence"] for record in self.records if record["type"] == "event"]


class HttpReceiver:
    """Answers each request as `script` says, then with `then`; more than `most` bytes with 413."""

    def __init__(self, *script: Behaviour, then: Behaviour = 200, most: int = 10**9, tls: Path | None = None) -> None:
        self.most = most
        self.script: list[Behaviour] = list(script)
        self.then: Behaviour = then
        self.answers: dict[str, str] = {}
        self.requests: list[Received] = []
        self.acked: list[Received] = []
        self.released = threading.Event()
        self.arrived = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.scheme = "https" if tls else "http"
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/in"

    def __enter__(self) -> "HttpReceiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def sequences(self) -> list[int]:
        """The rows that were confirmed, in the order in which they came."""
        return [sequence for received in self.acked for sequence in received.sequences]

    def _take(self, received: Received) -> Behaviour:
        with self._lock:
            self.requests.append(received)
            behaviour = self.script.pop(0) if self.script else self.then
            if len(received.body) > self.most:
                behaviour = 413
            whole = isinstance(behaviour, int) and 200 <= behaviour < 300
            if whole or (isinstance(behaviour, bytes) and behaviour in TAKEN):
                self.acked.append(received)
        self.arrived.release()
        return behaviour

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received = Received(self.path, {name.lower(): text for name, text in self.headers.items()}, body)
                behaviour = receiver._take(received)
                self.close_connection = True
                if isinstance(behaviour, int):
                    self.send_response(behaviour)
                    for name, text in receiver.answers.items():
                        self.send_header(name, text)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"ok")
                elif isinstance(behaviour, bytes):
                    self.wfile.write(behaviour)
                elif behaviour == HANG:
                    receiver.released.wait(30)
                elif behaviour == DIE_IN_HEADERS:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
                elif behaviour == DIE_IN_BODY:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                elif behaviour == NO_HTTP:
                    self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
                elif behaviour == ENDLESS:
                    self._trickle()

            def _trickle(self) -> None:
                with contextlib.suppress(OSError):
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                    while not receiver.released.wait(0.02):
                        self.wfile.write(b"X-More: and more\r\n")

            def log_message(self, *_: object) -> None:
                return

        return Handler


class SyslogReceiver:
    """Reads RFC 6587 frames until the sender ends; `manner` is what it does instead when told so."""

    def __init__(self, *, manner: Callable[[socket.socket], None] | None = None, tls: Path | None = None) -> None:
        self.frames: list[bytes] = []
        self.manner = manner
        self.connections = 0
        self._tls = None
        if tls:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(tls)
        receiver = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                receiver.connections += 1
                if receiver.manner:
                    receiver.manner(self.request)
                else:
                    receiver._read(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def __enter__(self) -> "SyslogReceiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _read(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            stream = bytearray()
            while part := connection.recv(65_536):
                stream += part
            self.frames += list(split_frames(bytes(stream)))
            if isinstance(connection, ssl.SSLSocket):
                connection.unwrap()
                connection.close()


def split_frames(stream: bytes) -> Iterator[bytes]:
    """The messages of an octet-counted stream (RFC 6587 3.4.1)."""
    while stream:
        length, _, rest = stream.partition(b" ")
        assert length.isdigit()
        assert not length.startswith(b"0")
        assert len(rest) >= int(length)
        yield rest[: int(length)]
        stream = rest[int(length) :]


@dataclass
class SyslogMessage:
    """One RFC 5424 message, taken apart by the letter of its grammar."""

    priority: int
    timestamp: str
    host: str
    app: str
    process: str
    kind: str
    data: dict[str, str]
    has_mark: bool
    message: str


def parse_syslog(frame: bytes) -> SyslogMessage:
    """`frame` in its parts."""
    priority, _, rest = frame.partition(b">")
    version, timestamp, host, app, process, kind, rest = rest.split(b" ", 6)
    assert version == b"1"
    assert rest.startswith(b"[hoursmith@32473 ")
    text, place, data = rest.decode("utf-8", "surrogateescape"), len("[hoursmith@32473 "), {}
    while text[place - 1] != "]":
        name, value, place = _parameter(text, place)
        data[name] = value
    message = text[place:].removeprefix(" ").encode("utf-8", "surrogateescape")
    mark = b"\xef\xbb\xbf"
    return SyslogMessage(
        int(priority.removeprefix(b"<")),
        timestamp.decode(),
        host.decode(),
        app.decode(),
        process.decode(),
        kind.decode(),
        data,
        message.startswith(mark),
        message.removeprefix(mark).decode(),
    )


def _parameter(text: str, place: int) -> tuple[str, str, int]:
    """One `name="value"` at `place`, and where the next one begins, behind a space or the closing bracket."""
    end = text.index('="', place)
    name, place, value = text[place:end], end + 2, ""
    while text[place] != '"':
        if text[place] == "\\":
            place += 1
        value += text[place]
        place += 1
    return name, value, place + 2


@contextmanager
def a_port_nobody_listens_on() -> Iterator[int]:
    """A port that refuses connections for as long as this lasts."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])
