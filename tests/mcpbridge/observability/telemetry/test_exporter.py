"""How the log speaks of a collector, and what is not traced."""

import logging
import time
from collections.abc import Iterator

import pytest
from opentelemetry import trace

from mcpbridge.core.types import Caller
from mcpbridge.observability.telemetry import spans
from mcpbridge.observability.telemetry.exporter import Sending
from tests.collector import Collector, collecting

LOGGER = "mcpbridge.observability.telemetry.exporter"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
        yield running


@pytest.fixture
def sending(collector: Collector) -> Iterator[Sending]:
    made = Sending(version="1")
    yield made
    made.stop()


def ask(collector: Collector, parent: str = "") -> None:
    """Let one span reach the collector, however it answers."""
    before = len(collector.bodies)
    with spans.bridge_request([(b"traceparent", parent.encode())], "r1") as span:
        span.asks("tools/call", {"name": "get_me"}, Caller("", ""))
        with spans.step("record intent"):
            span.replies({"result": {}}, 200)
    collector.eventually(lambda: len(collector.bodies) > before)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_collector_that_fails_is_said_once_and_so_is_its_return(
    collector: Collector, sending: Sending, caplog: pytest.LogCaptureFixture
) -> None:
    collector.status = 503
    for _ in range(3):
        ask(collector)
    collector.eventually(lambda: said(caplog))
    collector.status = 200
    ask(collector)
    collector.eventually(lambda: len(said(caplog)) > 1)
    ask(collector)
    sending.stop()
    assert said(caplog) == [
        "Spans cannot be sent to the collector now, and are dropped.",
        "Spans are sent again.",
    ]


def test_the_end_waits_no_longer_than_a_moment_for_a_collector_that_hangs(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "100")
    sending = Sending(version="1")
    collector.may_answer.clear()
    ask(collector)
    began = time.monotonic()
    sending.stop()
    assert time.monotonic() - began < 20


def test_a_caller_who_is_not_traced_leaves_no_span_below_theirs(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    sending = Sending(version="1")
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    with spans.bridge_request([(b"traceparent", f"00-{trace_id}-00f067aa0ba902b7-00".encode())], "r1") as span:
        span.asks("tools/call", {"name": "get_me"}, Caller("", ""))
        with spans.step("record intent"):
            assert not trace.get_current_span().is_recording()
    ask(collector, f"00-{trace_id}-00f067aa0ba902b7-01")
    sending.stop()
    assert sorted(span.name for span in collector.spans()) == ["record intent", "tools/call get_me"]


def test_other_libraries_make_no_spans_by_our_sender(collector: Collector, sending: Sending) -> None:
    with trace.get_tracer("mcp-python-sdk").start_as_current_span("theirs"):
        ask(collector)
    sending.stop()
    assert {span.name for span in collector.spans()} == {"record intent", "tools/call get_me"}


def test_nothing_is_made_where_nobody_wants_traces() -> None:
    with spans.bridge_request([], "r1") as span:
        span.asks("tools/call", {"name": "get_me"}, Caller("", ""))
        assert spans.step("record intent") is spans.upstream_call("GET", "/me", ("localhost", 443)) is span
        assert not trace.get_current_span().get_span_context().is_valid
