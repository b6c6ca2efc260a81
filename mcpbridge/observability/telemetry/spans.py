"""Record requests as spans of a trace; does nothing unless traces are wanted.

This module decides what a span may contain: names from our own catalogue, statuses, and token prefixes. Never
arguments, results, headers, addresses, query strings or error texts, nor anything else that a client can choose, since
it could contain a token. Of a caller's trace context only `traceparent` is used, which has no free text, and no trace
context is sent to Hoursmith.

Names follow OpenTelemetry's semantic conventions for MCP and HTTP; what is ours begins with `hoursmith.`.
"""

import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer

from mcpbridge.core.types import Call, Caller, CallResult
from mcpbridge.tools import TOOLS
from mcpbridge.tools.prompts import PROMPTS

PARENT = "traceparent"
_OTHER = "_OTHER"
_MCP_METHODS = frozenset(
    {"initialize", "ping", "server/discover", "tools/list", "tools/call", "prompts/list", "prompts/get"}
)
_HTTP_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Attributes = dict[str, str | int]

_tracer: Tracer | None = None


def set_tracer(tracer: Tracer | None) -> None:
    """Set the tracer of this process; None turns tracing off."""
    global _tracer
    _tracer = tracer


class _Nothing:
    """Stands in for a span when there is no trace."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def asks(self, method: str, params: Mapping[str, Any] | None, caller: Caller) -> None:
        return None

    def replies(self, body: Mapping[str, Any], status: int | None = None) -> None:
        return None

    def answered(self, status: int, *, route: str = "") -> None:
        return None


NOTHING = _Nothing()


class Step:
    """A span for one part of a request, from entering it to leaving it."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            # Its code or class: the text could contain a secret.
            _fail(self._span, str(getattr(error, "code", "") or type(error).__qualname__))
        self._span.end()

    def answered(self, status: int, *, route: str = "") -> None:
        """Set the HTTP status of the response."""
        self._span.set_attribute("http.response.status_code", status)
        if status >= 400:
            _fail(self._span, str(status))


def step(name: str) -> Step | _Nothing:
    """Return a span for one part of the current request; NOTHING if the request is not traced."""
    return _child(name, SpanKind.INTERNAL, {})


def upstream_call(method: str, route: str, address: tuple[str, int]) -> Step | _Nothing:
    """Return a span for one request to Hoursmith; `route` is its path without ids."""
    attributes: Attributes = {"http.request.method": method, "server.address": address[0], "server.port": address[1]}
    if route:
        attributes["url.template"] = route
    return _child(f"{method} {route}".rstrip(), SpanKind.CLIENT, attributes)


def _child(name: str, kind: SpanKind, attributes: Attributes) -> Step | _Nothing:
    if _tracer is None or not trace.get_current_span().is_recording():
        return NOTHING
    return Step(_tracer.start_span(name, None, kind, attributes))


def call_ended(call: Call, call_result: CallResult) -> None:
    """Set the result of the tool call on the current request's span."""
    if _tracer is None:
        return
    span = trace.get_current_span()
    # The span of a disconnected caller has ended already.
    if span.is_recording():
        said: Attributes = {
            "hoursmith.kind": call.kind.value,
            "hoursmith.result": call_result.result.value,
            "hoursmith.status": call_result.status,
            "hoursmith.code": call_result.code,
            "hoursmith.workspace": call.identity.org_id,
            "hoursmith.request_id": call.caller.request_id,
        }
        # Empty attributes cost as much to send as others.
        span.set_attributes({name: value for name, value in said.items() if value != ""})


class _Request:
    """The span of an incoming request. It starts at the request's arrival, even if it is created later."""

    def __init__(self, tracer: Tracer, parent: str, attributes: Attributes) -> None:
        self._tracer = tracer
        self._arrived = time.time_ns()
        self._parent = parent
        self._attributes = attributes
        self._span: Span | None = None
        self._before: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        span = self._begun("request")
        if error is not None:
            _fail(span, type(error).__qualname__)
        span.end()
        if self._before is not None:
            contexts.detach(self._before)

    def _begun(self, name: str) -> Span:
        """Return the span; start it under this name if it was not started yet."""
        if self._span is None:
            # Not a child of an earlier span on this connection or thread.
            nothing = contexts.Context()
            around = extract({PARENT: self._parent}, nothing) if self._parent else nothing
            self._span = self._tracer.start_span(
                name, around, SpanKind.SERVER, self._attributes, start_time=self._arrived
            )
            if self._span.is_recording():
                self._before = contexts.attach(trace.set_span_in_context(self._span, around))
        return self._span


class BridgeRequest(_Request):
    """A request to the bridge: one MCP message and its response."""

    def asks(self, method: str, params: Mapping[str, Any] | None, caller: Caller) -> None:
        """Start the span for the request of `caller`. A parent in the message takes precedence over the header's.

        Source: MCP 2026-07-28, basic, OpenTelemetry trace context; OpenTelemetry's conventions for MCP.
        """
        params = params or {}
        meta = params.get("_meta")
        if isinstance(meta, Mapping) and isinstance(parent := meta.get(PARENT), str):
            self._parent = parent
        name = self._attributes["mcp.method.name"] = method if method in _MCP_METHODS else _OTHER
        target = params.get("name")
        if name == "tools/call":
            self._attributes["gen_ai.operation.name"] = "execute_tool"
        if name == "tools/call" and isinstance(target, str) and target in TOOLS:
            self._attributes["gen_ai.tool.name"] = target
            name = f"{name} {target}"
        elif name == "prompts/get" and isinstance(target, str) and target in PROMPTS:
            self._attributes["gen_ai.prompt.name"] = target
            name = f"{name} {target}"
        # Here: management commands load this module, and have no call.
        from mcp_types.version import KNOWN_PROTOCOL_VERSIONS

        if caller.protocol in KNOWN_PROTOCOL_VERSIONS:
            self._attributes["mcp.protocol.version"] = caller.protocol
        if caller.prefix:
            self._attributes["hoursmith.token"] = str(caller.token_ref)
        self._begun(name)

    def replies(self, body: Mapping[str, Any], status: int | None = None) -> None:
        """Set the result of the JSON-RPC response in `body`, and the HTTP status if any."""
        span = self._begun("POST /mcp")
        if not span.is_recording():
            return
        if status is not None:
            span.set_attribute("http.response.status_code", status)
        error, result = body.get("error"), body.get("result")
        if isinstance(error, Mapping):
            code = str(error.get("code"))
            span.set_attribute("rpc.response.status_code", code)
            _fail(span, code)
        elif isinstance(result, Mapping) and result.get("isError") is True:
            _fail(span, "tool_error")


class PageRequest(_Request):
    """A request for a page of the console."""

    def __enter__(self) -> Self:
        self._begun(str(self._attributes["http.request.method"]))
        return self

    def answered(self, status: int, *, route: str = "") -> None:
        """Set the status and the URL pattern of the page."""
        span = self._begun("")
        if not span.is_recording():
            return
        if route:
            span.update_name(f"{self._attributes['http.request.method']} {route}")
            span.set_attribute("http.route", route)
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            _fail(span, str(status))


BridgeSpan = BridgeRequest | _Nothing


def bridge_request(headers: Iterable[tuple[bytes, bytes]], request_id: str) -> BridgeSpan:
    """Return the span of a POST to the bridge; `headers` are ASGI's."""
    if _tracer is None:
        return NOTHING
    parent = next((value.decode("latin-1") for name, value in headers if name == b"traceparent"), "")
    about: Attributes = {"network.transport": "tcp", "hoursmith.request_id": request_id}
    return BridgeRequest(_tracer, parent, about)


def stdio_request() -> BridgeSpan:
    """Return the span of a request over standard input."""
    return NOTHING if _tracer is None else BridgeRequest(_tracer, "", {"network.transport": "pipe"})


def page_request(method: str, parent: str, request_id: str) -> PageRequest | _Nothing:
    """Return the span of a request for a page; `parent` is its `traceparent` header."""
    if _tracer is None:
        return NOTHING
    known = method if method in _HTTP_METHODS else _OTHER
    return PageRequest(_tracer, parent, {"http.request.method": known, "hoursmith.request_id": request_id})


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)
