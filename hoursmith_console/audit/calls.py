"""Destructive calls as people read them: what was asked joined with how it ended."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery, TextChoices
from django.utils import timezone

from hoursmith_console.audit.call_descriptions import Story, tell
from mcpbridge.audit.reconcile import outcome_deadline
from mcpbridge.models import AuditEvent, Phase, Result

# Failures before which nothing had left for Hoursmith; after any other it may have done what it was asked.
NOTHING_SENT = ("upstream_unreachable", "upstream_redirect", "audit_unavailable")
_MARKED_WITHIN = timedelta(days=3)
_MOST_IN_DOUBT = 1_000


class State(TextChoices):
    """How a destructive call stands."""

    SUCCEEDED = "succeeded", "Succeeded"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Outcome unknown"
    UNDER_WAY = "under_way", "Under way"


@dataclass(frozen=True, slots=True)
class DestructiveCall:
    """One destructive call: its intent, its outcome where one was recorded, and what was found out without one.

    `unknown` is the row that says that no outcome came, `resolution` what a person wrote about the call.
    """

    intent: AuditEvent
    outcome: AuditEvent | None
    state: State
    unknown: AuditEvent | None = None
    resolution: AuditEvent | None = None

    @property
    def may_be_done(self) -> bool:
        """Whether the call failed, or was lost, in a way that leaves open if Hoursmith carried it out."""
        if self.state is State.UNKNOWN:
            return True
        return self.state is State.FAILED and self.outcome is not None and self.outcome.code not in NOTHING_SENT

    @property
    def is_open(self) -> bool:
        """Whether somebody must look into Hoursmith, and nobody has written down yet what they found."""
        return self.may_be_done and self.resolution is None

    @property
    def is_resolvable(self) -> bool:
        """Whether that can be written down now: a call without an outcome must have been marked as such first."""
        return self.is_open and (self.outcome is not None or self.unknown is not None)

    @property
    def story(self) -> Story:
        """This call in words."""
        status, code = (self.outcome.status, self.outcome.code) if self.outcome else (None, "")
        return tell(
            tool=self.intent.tool,
            target_type=self.intent.target_type,
            state=self.state.value,
            answer=f"{status or ''} {code}".strip(),
            may_be_done=self.may_be_done,
        )


def with_outcomes(intents: Iterable[AuditEvent]) -> list[DestructiveCall]:
    """Each of `intents` with what was recorded of it since, in one query however many there are."""
    found = list(intents)
    rows = {
        (row.call_id, row.phase): row
        for row in AuditEvent.objects.filter(
            call_id__in=[intent.call_id for intent in found],
            org_id__in={intent.org_id for intent in found},
            phase__in=(Phase.OUTCOME, Phase.UNKNOWN, Phase.RESOLUTION),
        ).defer("arguments", "snapshot")
    }
    now = timezone.now()
    calls = []
    for intent in found:
        outcome, unknown, resolution = (
            rows.get((intent.call_id, phase)) for phase in (Phase.OUTCOME, Phase.UNKNOWN, Phase.RESOLUTION)
        )
        state = State.UNKNOWN if unknown and not outcome else _state(intent, outcome, now)
        calls.append(DestructiveCall(intent, outcome, state, unknown, resolution))
    return calls


def in_state(intents: QuerySet[AuditEvent], state: State) -> QuerySet[AuditEvent]:
    """Those of `intents` that stand in `state` now; rows of other phases stand in none."""
    intents = intents.filter(phase=Phase.INTENT).alias(ended=_ended())
    edge = timezone.now() - outcome_deadline()
    if state is State.UNDER_WAY:
        return intents.filter(ended=None, recorded_at__gte=edge)
    if state is State.UNKNOWN:
        return intents.filter(Q(ended=None, recorded_at__lt=edge) | Q(ended=Result.UNKNOWN))
    return intents.filter(ended=state.value)


def not_refused(intents: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
    """Those of `intents` that changed something, or may have."""
    return intents.alias(ended=_ended()).filter(Q(ended=None) | ~Q(ended=Result.REFUSED))


def unsettled(rows: QuerySet[AuditEvent], since: datetime) -> QuerySet[AuditEvent]:
    """The intents since `since` about which somebody must still look into Hoursmith to know what happened.

    `rows` are of every phase. Of each sort of doubt it is the newest thousand.
    """
    rows = rows.filter(recorded_at__gte=since).order_by("-recorded_at", "-pk")
    intents = rows.filter(phase=Phase.INTENT)
    failed = rows.filter(phase=Phase.OUTCOME, result=Result.FAILED).exclude(code__in=NOTHING_SENT)
    # The sweep has marked whatever was lost longer ago.
    edge = timezone.now() - outcome_deadline()
    unmarked = intents.filter(recorded_at__gte=max(since, edge - _MARKED_WITHIN), recorded_at__lt=edge)
    calls: set[UUID] = set()
    for doubt in (
        rows.filter(phase=Phase.UNKNOWN),
        rows.filter(phase=Phase.OUTCOME, result=Result.UNKNOWN),
        failed,
        unmarked.alias(ended=_ended()).filter(ended=None),
    ):
        calls.update(doubt.values_list("call_id", flat=True)[:_MOST_IN_DOUBT])
    settled = AuditEvent.objects.filter(call_id__in=calls).filter(
        Q(phase=Phase.RESOLUTION) | Q(phase=Phase.OUTCOME, result__in=(Result.SUCCEEDED, Result.REFUSED))
    )
    calls.difference_update(settled.order_by().values_list("call_id", flat=True))
    return intents.filter(call_id__in=calls)


def _ended() -> Subquery:
    """How the call of an intent ended, None where no outcome was written.

    A value and no EXISTS: PostgreSQL would turn that into a join with all outcomes there are, where a list has to
    look at a few.
    """
    outcome = AuditEvent.objects.filter(call_id=OuterRef("call_id"), phase=Phase.OUTCOME).order_by()
    return Subquery(outcome.values("result")[:1])


def _state(intent: AuditEvent, outcome: AuditEvent | None, now: datetime) -> State:
    if outcome is not None:
        return State(outcome.result)
    return State.UNKNOWN if intent.recorded_at < now - outcome_deadline() else State.UNDER_WAY
