"""A collector of telemetry: takes OTLP over HTTP as a real one does, and can hang as a sick one does."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.waiting import eventually

_SERVER = 2
_ERROR = 2


@dataclass(frozen=True)
class Span:
    """A span as it arrived."""

    name: str
    trace: str
    id: str
    parent: str
    is_server: bool
    is_error: bool
    seconds: float
    attributes: dict[str, Any]


@dataclass
class Collector:
    """What arrived so far, as it came over the line."""

    port: int = 0
    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    may_answer: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def received(self) -> bytes:
        """All of it, headers too."""
        return b"".join(body for _, body in self.bodies) + repr(self.headers).encode()

    def spans(self) -> list[Span]:
        found = []
        for body in [body for path, body in self.bodies if path == "/v1/traces"]:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for span in (span for scope in resource.scope_spans for span in scope.spans):
                    assert not span.events
                    assert not span.trace_state
                    assert not span.status.message
                    found.append(
                        Span(
                            span.name,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            span.kind == _SERVER,
                            span.status.code == _ERROR,
                            (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                            _attributes(span.attributes),
                        )
                    )
        return found

    def resources(self) -> list[dict[str, Any]]:
        """Who sent spans."""
        return [
            _attributes(resource.resource.attributes)
            for path, body in self.bodies
            if path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        ]

    def eventually(self, look: Callable[[], Any], seconds: float = 30) -> Any:
        """What `look` finds once it finds something."""
        return eventually(look, seconds, told=lambda: [span.name for span in self.spans()])


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a loopback port of its own."""
    collector = Collector()
    collector.may_answer.set()

    class Exchange(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.headers.append(dict(self.headers.items()))
            collector.bodies.append((self.path, body))
            collector.may_answer.wait()
            self.send_response(collector.status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        # A sender that goes away while nobody answers is what the tests are about.
        handle_error = lambda *_: None  # noqa: E731

    with Server(("127.0.0.1", 0), Exchange) as server:
        collector.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            collector.may_answer.set()
            server.shutdown()
            thread.join()
