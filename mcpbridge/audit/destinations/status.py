"""How the sinks of a workspace stand: for pages, and for whoever removes rows."""

from dataclasses import dataclass
from enum import StrEnum

from django.db import router

from mcpbridge.audit.destinations.batches import annotated
from mcpbridge.models.destinations import Sink, SinkQuerySet


class SinkState(StrEnum):
    """What is the matter with a sink."""

    HEALTHY = "healthy"
    CATCHING_UP = "catching_up"
    FAILING = "failing"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class SinkStanding:
    """A sink and how many rows its receiver has not confirmed."""

    sink: Sink
    head: int
    cut: int = 0

    @property
    def behind(self) -> int:
        """Rows that wait for it; those that retention removed do not."""
        return max(0, self.head - max(self.sink.confirmed, self.cut))

    @property
    def state(self) -> SinkState:
        """What is the matter with it."""
        if self.sink.is_paused:
            return SinkState.PAUSED
        if self.sink.is_failing:
            return SinkState.FAILING
        return SinkState.CATCHING_UP if self.behind else SinkState.HEALTHY


def sink_standings(org_id: str) -> list[SinkStanding]:
    """The workspace's sinks, those that fail first."""
    found = _standings(Sink.objects.live().filter(org_id=org_id))
    return sorted(found, key=lambda each: (each.state != SinkState.FAILING, each.sink.name))


def failing_sinks(org_id: str) -> list[SinkStanding]:
    """Those of them that fail now."""
    return _standings(Sink.objects.failing().filter(org_id=org_id))


def sinks_standing() -> list[SinkStanding]:
    """The sinks of all workspaces, to be counted."""
    return _standings(Sink.objects.live())


def sinks_behind(org_id: str, sequence: int) -> list[Sink]:
    """Those that have not confirmed the row `sequence`, paused ones too: its removal would leave them a gap."""
    alias = router.db_for_write(Sink)
    return list(Sink.objects.using(alias).live().filter(org_id=org_id, confirmed__lt=sequence).order_by("name"))


def _standings(sinks: SinkQuerySet) -> list[SinkStanding]:
    found = annotated(sinks, router.db_for_read(Sink))
    return [SinkStanding(sink, sink.head, sink.cut) for sink in found]  # type: ignore[attr-defined]
