"""Sends spans and counts to a collector over OTLP/HTTP, by OpenTelemetry's SDK; loaded only where that is wanted.

The SDK reads the usual variables itself: endpoint, headers, sampler, limits, intervals, resource attributes. Its
global providers are left alone, since other libraries make spans by them, with texts that are not ours to show.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from mcpbridge import metrics
from mcpbridge.telemetry import Standing
from mcpbridge.telemetry.spans import spans_go_to
from mcpbridge.telemetry.wanted import Signals

logger = logging.getLogger(__name__)

SCOPE = "hoursmith-console"
FLUSH_S = 1.0
# What they say of each batch that fails, once in some seconds, is said here once.
_TALKATIVE = ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal")


class _Collector:
    """How sending one signal goes, said in the log when it changes."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_failing = False

    def note(self, is_sent: bool) -> None:
        """Take note of whether a batch was sent."""
        if is_sent == self._is_failing:
            self._is_failing = not is_sent
            state = "are sent again" if is_sent else "cannot be sent to the collector now, and are dropped"
            logger.warning("%s %s.", self._what, state)


class _SpanExporter(OTLPSpanExporter):
    def __init__(self) -> None:
        super().__init__()
        self._way = _Collector("Spans")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        self._way.note(result is SpanExportResult.SUCCESS)
        return result


class _MetricExporter(OTLPMetricExporter):
    def __init__(self) -> None:
        super().__init__()
        self._way = _Collector("Metrics")

    def export(self, metrics_data: Any, timeout_millis: float | None = 10_000, **kwargs: Any) -> MetricExportResult:
        result = super().export(metrics_data, timeout_millis, **kwargs)
        self._way.note(result is MetricExportResult.SUCCESS)
        return result


class Sending:
    """The running parts of one process. Made after forking; `stop` is the last thing to do."""

    def __init__(self, signals: Signals, *, version: str, standing: Standing | None) -> None:
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        resource = _resource(version)
        self._ends: list[Callable[[], object]] = []
        if signals.traces:
            tracing = TracerProvider(resource=resource, shutdown_on_exit=False)
            tracing.add_span_processor(BatchSpanProcessor(_SpanExporter()))
            self._ends.append(tracing.shutdown)
            spans_go_to(tracing.get_tracer(SCOPE, version))
        if signals.metrics:
            reader = PeriodicExportingMetricReader(_MetricExporter())
            metering = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
            self._ends.append(metering.shutdown)
            _instruments(metering.get_meter(SCOPE, version), standing)

    def stop(self) -> None:
        """Send what is left, for a second at most; on a thread that may wait."""
        spans_go_to(None)
        metrics.durations_go_to(None)
        # Threads that do not hold up the end of the process: a collector that hangs would.
        ends = [threading.Thread(target=end, name="telemetry-end", daemon=True) for end in self._ends]
        for thread in ends:
            thread.start()
        until = time.monotonic() + FLUSH_S
        for thread in ends:
            thread.join(max(0.0, until - time.monotonic()))


def _resource(version: str) -> Resource:
    """Who sends: what the operator says, else our name; and each process by itself, so that its counts are its own."""
    said = OTELResourceDetector().detect().attributes
    return Resource.create(
        {
            "service.name": said.get("service.name", SCOPE),
            "service.version": said.get("service.version", version),
            "service.instance.id": str(uuid.uuid4()),
        }
    )


def _instruments(meter: Meter, standing: Standing | None) -> None:
    """The families of `/metrics`, by names that Prometheus would spell as it finds them there.

    Each process sends its own share, which a backend adds up, as it does for any service with several instances.
    """
    for counter in metrics.COUNTERS:
        (family,) = counter.describe()
        name, text = _dotted(family.name), family.documentation
        meter.create_observable_counter(name, [_shares(counter, f"{family.name}_total")], description=text)
    for gauge in metrics.GAUGES:
        (family,) = gauge.describe()
        name, text = _dotted(family.name), family.documentation
        meter.create_observable_up_down_counter(name, [_shares(gauge, family.name)], description=text)
    for lowest in metrics.LOWEST:
        (family,) = lowest.describe()
        name, text = _dotted(family.name), family.documentation
        meter.create_observable_gauge(name, [_shares(lowest, family.name)], description=text)
    for family in standing.describe() if standing else ():
        meter.create_observable_gauge(
            _dotted(family.name), [_shares(standing, family.name)], description=family.documentation
        )
    durations = meter.create_histogram(
        "hoursmith.tool_call_duration",
        "s",
        "From the bridge's taking a call to its answer, the record included.",
        explicit_bucket_boundaries_advisory=metrics.BUCKETS,
    )

    def observe(kind: str, seconds: Sequence[float]) -> None:
        for each in seconds:
            durations.record(each, {"kind": kind})

    metrics.durations_go_to(observe)


def _shares(source: Any, sample_name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def shares(_: CallbackOptions) -> Iterable[Observation]:
        for family in source.collect():
            for sample in family.samples:
                if sample.name == sample_name:
                    yield Observation(sample.value, sample.labels)

    return shares


def _dotted(name: str) -> str:
    """`hoursmith_tool_calls` as `hoursmith.tool_calls`."""
    return name.replace("_", ".", 1)
