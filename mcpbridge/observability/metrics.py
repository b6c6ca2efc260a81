"""Prometheus metrics of the bridge. No label can hold a name, a prefix or an address.

Each process counts in memory or, if PROMETHEUS_MULTIPROC_DIR names a folder, in mapped files there, which the process
that is scraped adds up. `hoursmith_console.ops.metrics` serves them.
"""

from collections import Counter as Totals

from prometheus_client import Counter, Gauge, Histogram

from mcpbridge.core.credential import CredentialErrorCode
from mcpbridge.core.types import Call, CallResult
from mcpbridge.models import CallKind, Result

# From a response from memory to the default of UPSTREAM_TIMEOUT_S, in seconds.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_FAULTS = frozenset(CredentialErrorCode) | {"too_many_attempts"}

_calls = Counter("hoursmith_tool_calls", "Tool calls, by tool, kind and result.", ["tool", "kind", "result"])
_durations = Histogram(
    "hoursmith_tool_call_duration_seconds",
    "Duration of tool calls in the bridge, audit log included.",
    ["kind"],
    buckets=_BUCKETS,
)
_upstream = Counter(
    "hoursmith_upstream_answers",
    "Responses of Hoursmith to tool calls, by status; 5xx also if there was none.",
    ["status"],
)
_refused = Counter("hoursmith_refused_credentials", "Requests rejected for their credential, by fault.", ["fault"])
_unrecorded = Counter(
    "hoursmith_unrecorded_refusals", "Destructive calls refused because the audit log could not be written."
)
activity_lost = Counter("hoursmith_activity_lost", "Calls without an activity row, because it could not be written.")
unattributed_calls = Counter(
    "hoursmith_unattributed_calls", "Calls with unknown tokens to which Hoursmith gave no response; they leave no row."
)
outcomes_lost = Counter(
    "hoursmith_audit_outcomes_lost", "Outcomes of destructive calls that could not be written to the audit log."
)
activity_waiting = Gauge(
    "hoursmith_activity_waiting", "Calls whose activity row is not written yet.", multiprocess_mode="livesum"
)
audit_waiting = Gauge("hoursmith_audit_waiting", "Audit rows that are not committed yet.", multiprocess_mode="livesum")
_background_runs = Counter("hoursmith_background_runs", "Runs of background jobs, by result.", ["task", "result"])
_background_succeeded = Gauge(
    "hoursmith_background_last_success_timestamp_seconds",
    "When the background job last succeeded; the oldest of several processes.",
    # Not "job", which is what Prometheus itself calls the scraped service.
    ["task"],
    multiprocess_mode="livemin",
)
alerts_sent = Counter("hoursmith_alerts_sent", "Alerts that a channel accepted.")
alerts_failed = Counter("hoursmith_alerts_failed", "Alerts that were given up after the last attempt.")
restrictions_known = Gauge(
    "hoursmith_restrictions_known",
    "0 if a process could not read the restrictions since its start, and answers every MCP request with 503.",
    multiprocess_mode="livemin",
)
restrictions_unknown = Counter(
    "hoursmith_refused_without_restrictions", "MCP requests answered with 503 because the restrictions are unknown."
)
audit_anchor_fault = Gauge(
    "hoursmith_audit_anchor_fault",
    "Audit logs that contradict the anchor of this node; while there is one, nothing is signed or deleted.",
    multiprocess_mode="livemax",
)
audit_anchor_missing = Gauge(
    "hoursmith_audit_anchor_missing",
    "Audit logs with entries of which this node has no anchor, so that it does not sign them.",
    multiprocess_mode="livemax",
)
# Created at the start, so that an alert on their increase sees the first one too.
for _fault in sorted(_FAULTS):
    _refused.labels(_fault)


class CallCounts:
    """Counts calls in memory until `flush`, since each increment in a mapped file is expensive."""

    def __init__(self) -> None:
        self._ended: list[tuple[str, CallKind, Result, int, str, float]] = []

    def count(self, call: Call, call_result: CallResult) -> None:
        """Count a finished call; on the event loop."""
        self._ended.append(
            (call.tool, call.kind, call_result.result, call_result.status, call_result.code, call_result.duration_ms)
        )

    def flush(self) -> None:
        """Add the counts to the metrics; on the recorder's thread."""
        ended, self._ended = self._ended, []
        endings = Totals(each[:4] for each in ended)
        for (tool, kind, result, status), calls in endings.items():
            _calls.labels(tool, kind.value, result.value).inc(calls)
            _upstream.labels(str(status) if status < 500 else "5xx").inc(calls)
        _unrecorded.inc(sum(each[4] == "audit_unavailable" for each in ended))
        for _, kind, _, _, _, duration_ms in ended:
            _durations.labels(kind.value).observe(duration_ms / 1000)


def register_background_job(job: str, *, is_timed: bool) -> None:
    """Create the metrics of a background job, so that they exist even if it never succeeds."""
    for result in ("succeeded", "failed"):
        _background_runs.labels(job, result)
    if is_timed:
        _background_succeeded.labels(job).set_to_current_time()


def count_background_run(job: str, *, is_success: bool, is_timed: bool) -> None:
    """Count a run of a background job, and set its time if it `is_timed`."""
    _background_runs.labels(job, "succeeded" if is_success else "failed").inc()
    if is_timed:
        _background_succeeded.labels(job).set_to_current_time()


def count_rejected_credential(fault: str) -> None:
    """Count a request that was rejected for its credential."""
    _refused.labels(fault if fault in _FAULTS else "other").inc()
