"""Sends spans to a collector over OTLP/HTTP, by OpenTelemetry's SDK; loaded only where that is wanted.

The SDK reads the usual variables itself: endpoint, headers, sampler, limits, intervals, resource attributes. Its
global provider is left alone, since other libraries make spans by it, with texts that are not ours to show.
"""

import logging
import threading
import uuid
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from mcpbridge.observability.telemetry.spans import set_tracer

logger = logging.getLogger(__name__)

SCOPE = "hoursmith-console"
FLUSH_S = 1.0
# What they say of each batch that fails, once in some seconds, is said here once.
_TALKATIVE = ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal")


class _SpanExporter(OTLPSpanExporter):
    """Log when sending begins to fail, and when it succeeds again."""

    def __init__(self) -> None:
        super().__init__()
        self._is_failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        is_sent = result is SpanExportResult.SUCCESS
        if is_sent == self._is_failing:
            self._is_failing = not is_sent
            state = "are sent again" if is_sent else "cannot be sent to the collector now, and are dropped"
            logger.warning("Spans %s.", state)
        return result


class Sending:
    """The running parts of one process. Made after forking; `stop` is the last thing to do."""

    def __init__(self, *, version: str) -> None:
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._provider = TracerProvider(resource=_resource(version), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_SpanExporter()))
        set_tracer(self._provider.get_tracer(SCOPE, version))

    def stop(self) -> None:
        """Send what is left, for a second at most; on a thread that may wait."""
        set_tracer(None)
        # A thread that does not hold up the end of the process: a collector that hangs would.
        thread = threading.Thread(target=self._provider.shutdown, name="telemetry-end", daemon=True)
        thread.start()
        thread.join(FLUSH_S)


def _resource(version: str) -> Resource:
    """Build the resource: the operator's attributes, else our name, with an instance id per process."""
    said = OTELResourceDetector().detect().attributes
    return Resource.create(
        {
            "service.name": said.get("service.name", SCOPE),
            "service.version": said.get("service.version", version),
            "service.instance.id": str(uuid.uuid4()),
        }
    )
