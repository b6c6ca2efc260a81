"""Destructive calls as people read them: what was asked joined with how it ended."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, TextChoices
from django.utils import timezone

from hoursmith_console.audit.story import Story, tell
from mcpbridge.models import AuditEvent, Phase, Result
from mcpbridge.sweeps import patience

# Failures before which nothing had left for Hoursmith; after any other it may have done what it was asked.
NOTHING_SENT = ("upstream_unreachable", "upstream_redirect", "audit_unavailable")


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
        )
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
    intents = intents.filter(phase=Phase.INTENT)
    outcome = AuditEvent.objects.filter(call_id=OuterRef("call_id"), phase=Phase.OUTCOME).order_by()
    edge = timezone.now() - patience()
    if state is State.UNDER_WAY:
        return intents.filter(~Exists(outcome), recorded_at__gte=edge)
    if state is State.UNKNOWN:
        lost = ~Exists(outcome) & Q(recorded_at__lt=edge)
        return intents.filter(lost | Q(Exists(outcome.filter(result=Result.UNKNOWN))))
    return intents.filter(Exists(outcome.filter(result=state.value)))


def not_refused(intents: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
    """Those of `intents` that changed something, or may have."""
    refusal = AuditEvent.objects.filter(call_id=OuterRef("call_id"), phase=Phase.OUTCOME, result=Result.REFUSED)
    return intents.exclude(Exists(refusal.order_by()))


def unsettled(intents: QuerySet[AuditEvent], since: datetime) -> QuerySet[AuditEvent]:
    """Those of `intents` since `since` about which somebody must still look into Hoursmith to know what happened."""
    outcome = AuditEvent.objects.filter(call_id=OuterRef("call_id"), phase=Phase.OUTCOME).order_by()
    lost = ~Exists(outcome) & Q(recorded_at__lt=timezone.now() - patience())
    open_ended = outcome.filter(Q(result=Result.UNKNOWN) | Q(result=Result.FAILED) & ~Q(code__in=NOTHING_SENT))
    resolution = AuditEvent.objects.filter(call_id=OuterRef("call_id"), phase=Phase.RESOLUTION).order_by()
    return intents.filter(~Exists(resolution), recorded_at__gte=since).filter(lost | Q(Exists(open_ended)))


def _state(intent: AuditEvent, outcome: AuditEvent | None, now: datetime) -> State:
    if outcome is not None:
        return State(outcome.result)
    return State.UNKNOWN if intent.recorded_at < now - patience() else State.UNDER_WAY
