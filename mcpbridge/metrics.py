"""What the bridge counts about itself, in Prometheus's terms. No label can hold a name, a prefix or an address.

Each process counts in memory, or, where PROMETHEUS_MULTIPROC_DIR names a folder, in mapped files there, which
whichever process is asked adds up. `hoursmith_console.metrics` serves them.
"""

from functools import lru_cache

from prometheus_client import Counter, Gauge, Histogram

from mcpbridge.credentials import Fault
from mcpbridge.facts import Call, Ending
from mcpbridge.models import Kind

# From a memory's answer to the longest that UPSTREAM_TIMEOUT_S allows by default, in seconds.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_FAULTS = frozenset(Fault) | {"too_many_attempts"}

_calls = Counter("hoursmith_tool_calls", "Tool calls, by how they ended.", ["tool", "kind", "result"])
_durations = Histogram(
    "hoursmith_tool_call_duration_seconds",
    "From the bridge's taking a call to its answer, the record included.",
    ["kind"],
    buckets=_BUCKETS,
)
_upstream = Counter(
    "hoursmith_upstream_answers", "Answers of Hoursmith to tool calls, by status; 5xx also where none came.", ["status"]
)
_refused = Counter("hoursmith_refused_credentials", "Requests turned away at the door, by fault.", ["fault"])
_unrecorded = Counter(
    "hoursmith_unrecorded_refusals", "Destructive calls refused because the record could not be written."
)
activity_lost = Counter("hoursmith_activity_lost", "Calls of which no activity row could be kept.")
outcomes_lost = Counter("hoursmith_audit_outcomes_lost", "Outcomes of destructive calls that could not be recorded.")
activity_waiting = Gauge(
    "hoursmith_activity_waiting", "Calls whose activity row is not written yet.", multiprocess_mode="livesum"
)
audit_waiting = Gauge("hoursmith_audit_waiting", "Audit rows that are not committed yet.", multiprocess_mode="livesum")
# Known from the start, so that a rule over their increase sees the first one too.
for _fault in sorted(_FAULTS):
    _refused.labels(_fault)


def call_count(call: Call, ending: Ending) -> None:
    """Count a call that ended."""
    calls, durations = _of(call.tool, call.kind, ending.result.value)
    calls.inc()
    durations.observe(ending.duration_ms / 1000)
    _answers(ending.status).inc()
    if ending.code == "audit_unavailable":
        _unrecorded.inc()


def refusal_count(fault: str) -> None:
    """Count a request that got no further than the door."""
    _refused.labels(fault if fault in _FAULTS else "other").inc()


@lru_cache(maxsize=256)
def _of(tool: str, kind: Kind, result: str) -> tuple[Counter, Histogram]:
    return _calls.labels(tool, kind.value, result), _durations.labels(kind.value)


@lru_cache(maxsize=64)
def _answers(status: int) -> Counter:
    return _upstream.labels(str(status) if status < 500 else "5xx")
