"""Join the intents of destructive calls with their outcomes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery, TextChoices
from django.utils import timezone

from hoursmith_console.audit.call_descriptions import CallDescription, describe_call
from mcpbridge.audit.reconcile import outcome_deadline
from mcpbridge.models import AuditEvent, AuditPhase, Result

# Failures before anything was sent to Hoursmith; after any other, the call may have been carried out.
NOTHING_SENT = ("upstream_unreachable", "upstream_redirect", "audit_unavailable")
# Entries of calls that may have been carried out although no success was recorded.
IN_DOUBT = (
    Q(phase=AuditPhase.UNKNOWN)
    | Q(phase=AuditPhase.OUTCOME, result=Result.UNKNOWN)
    | (Q(phase=AuditPhase.OUTCOME, result=Result.FAILED) & ~Q(code__in=NOTHING_SENT))
)
_MARKED_WITHIN = timedelta(days=3)
_MOST_UNCERTAIN = 1_000


class State(TextChoices):
    """The state of a destructive call."""

    SUCCEEDED = "succeeded", "Succeeded"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Outcome unknown"
    UNDER_WAY = "under_way", "In progress"


@dataclass(frozen=True, slots=True)
class DestructiveCall:
    """One destructive call: its intent, and the entries recorded about it since.

    `unknown` marks the outcome as unknown; `resolution` is the note of the user who looked into the call.
    """

    intent: AuditEvent
    outcome: AuditEvent | None
    state: State
    unknown: AuditEvent | None = None
    resolution: AuditEvent | None = None

    @property
    def may_be_done(self) -> bool:
        """Whether Hoursmith may have carried the call out although no success was recorded."""
        if self.state is State.UNKNOWN:
            return True
        return self.state is State.FAILED and self.outcome is not None and self.outcome.code not in NOTHING_SENT

    @property
    def is_open(self) -> bool:
        """Whether the call may have been carried out and has no resolution yet."""
        return self.may_be_done and self.resolution is None

    @property
    def is_resolvable(self) -> bool:
        """Whether a resolution can be recorded: a call without an outcome must be marked as unknown first."""
        return self.is_open and (self.outcome is not None or self.unknown is not None)

    @property
    def is_restorable(self) -> bool:
        """Whether something was archived or deleted, or may have been."""
        return self.state is State.SUCCEEDED or self.may_be_done

    @property
    def description(self) -> CallDescription:
        """The call in words."""
        status, code = (self.outcome.status, self.outcome.code) if self.outcome else (None, "")
        return describe_call(
            tool=self.intent.tool,
            target_type=self.intent.target_type,
            state=self.state.value,
            response=f"{status or ''} {code}".strip(),
            may_be_done=self.may_be_done,
        )


def with_outcomes(intents: Iterable[AuditEvent]) -> list[DestructiveCall]:
    """Join `intents` with the entries recorded about them since, in one query."""
    found = list(intents)
    rows = {
        (row.call_id, row.phase): row
        for row in AuditEvent.objects.filter(
            call_id__in=[intent.call_id for intent in found],
            org_id__in={intent.org_id for intent in found},
            phase__in=(AuditPhase.OUTCOME, AuditPhase.UNKNOWN, AuditPhase.RESOLUTION),
        ).defer("arguments", "snapshot")
    }
    return [join_call(intent, rows) for intent in found]


def join_call(intent: AuditEvent, rows: Mapping[tuple[UUID, str], AuditEvent]) -> DestructiveCall:
    """Join `intent` with those of `rows`, by call and phase, that were recorded about it since."""
    outcome, unknown, resolution = (
        rows.get((intent.call_id, phase)) for phase in (AuditPhase.OUTCOME, AuditPhase.UNKNOWN, AuditPhase.RESOLUTION)
    )
    state = State.UNKNOWN if unknown and not outcome else _state(intent, outcome, timezone.now())
    return DestructiveCall(intent, outcome, state, unknown, resolution)


def in_state(intents: QuerySet[AuditEvent], state: State) -> QuerySet[AuditEvent]:
    """Return the intents whose calls are in `state` now; entries of other phases are dropped."""
    intents = intents.filter(phase=AuditPhase.INTENT).alias(ended=_ended())
    edge = timezone.now() - outcome_deadline()
    if state is State.UNDER_WAY:
        return intents.filter(ended=None, recorded_at__gte=edge)
    if state is State.UNKNOWN:
        return intents.filter(Q(ended=None, recorded_at__lt=edge) | Q(ended=Result.UNKNOWN))
    return intents.filter(ended=state.value)


def unresolved(rows: QuerySet[AuditEvent], since: datetime) -> QuerySet[AuditEvent]:
    """Return the intents since `since` whose calls may have been carried out and are not resolved.

    `rows` have every phase. At most the newest thousand calls of each kind of uncertainty are returned.
    """
    rows = rows.filter(recorded_at__gte=since).order_by("-recorded_at", "-pk")
    intents = rows.filter(phase=AuditPhase.INTENT)
    failed = rows.filter(phase=AuditPhase.OUTCOME, result=Result.FAILED).exclude(code__in=NOTHING_SENT)
    # The reconciler has marked the ones lost earlier.
    edge = timezone.now() - outcome_deadline()
    unmarked = intents.filter(recorded_at__gte=max(since, edge - _MARKED_WITHIN), recorded_at__lt=edge)
    calls: set[UUID] = set()
    for uncertain in (
        rows.filter(phase=AuditPhase.UNKNOWN),
        rows.filter(phase=AuditPhase.OUTCOME, result=Result.UNKNOWN),
        failed,
        unmarked.alias(ended=_ended()).filter(ended=None),
    ):
        calls.update(uncertain.values_list("call_id", flat=True)[:_MOST_UNCERTAIN])
    resolved = AuditEvent.objects.filter(call_id__in=calls).filter(
        Q(phase=AuditPhase.RESOLUTION) | Q(phase=AuditPhase.OUTCOME, result__in=(Result.SUCCEEDED, Result.REFUSED))
    )
    calls.difference_update(resolved.order_by().values_list("call_id", flat=True))
    return intents.filter(call_id__in=calls)


def _ended() -> Subquery:
    """Return the result of an intent's call, None without an outcome.

    A value instead of EXISTS, which PostgreSQL would turn into a join with all outcomes although a list needs few.
    """
    outcome = AuditEvent.objects.filter(call_id=OuterRef("call_id"), phase=AuditPhase.OUTCOME).order_by()
    return Subquery(outcome.values("result")[:1])


def _state(intent: AuditEvent, outcome: AuditEvent | None, now: datetime) -> State:
    if outcome is not None:
        return State(outcome.result)
    return State.UNKNOWN if intent.recorded_at < now - outcome_deadline() else State.UNDER_WAY
