"""Status of log destinations, for pages, metrics and pruning."""

from dataclasses import dataclass
from enum import StrEnum

from django.db import router

from mcpbridge.audit.destinations.batches import annotated
from mcpbridge.models.destinations import LogDestination, LogDestinationQuerySet


class DestinationState(StrEnum):
    """Health of a destination."""

    HEALTHY = "healthy"
    CATCHING_UP = "catching_up"
    FAILING = "failing"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class DestinationStatus:
    """A destination with the last row of its chain (`head`) and the last pruned row (`cut`)."""

    destination: LogDestination
    head: int
    cut: int = 0

    @property
    def behind(self) -> int:
        """Return how many rows are not acknowledged yet, without pruned ones."""
        return max(0, self.head - max(self.destination.acked, self.cut))

    @property
    def state(self) -> DestinationState:
        """Return its health."""
        if self.destination.is_paused:
            return DestinationState.PAUSED
        if self.destination.is_failing:
            return DestinationState.FAILING
        return DestinationState.CATCHING_UP if self.behind else DestinationState.HEALTHY


def destination_statuses(org_id: str) -> list[DestinationStatus]:
    """Return the status of the workspace's destinations, failing ones first."""
    found = _statuses(LogDestination.objects.live().filter(org_id=org_id))
    return sorted(found, key=lambda each: (each.state != DestinationState.FAILING, each.destination.name))


def failing_destinations(org_id: str) -> list[DestinationStatus]:
    """Return the status of the workspace's failing destinations."""
    return _statuses(LogDestination.objects.failing().filter(org_id=org_id))


def all_destination_statuses() -> list[DestinationStatus]:
    """Return the status of the destinations of all workspaces."""
    return _statuses(LogDestination.objects.live())


def destinations_behind(org_id: str, sequence: int) -> list[LogDestination]:
    """Return destinations, paused ones included, that have not acknowledged row `sequence` of the workspace."""
    alias = router.db_for_write(LogDestination)
    return list(LogDestination.objects.using(alias).live().filter(org_id=org_id, acked__lt=sequence).order_by("name"))


def _statuses(destinations: LogDestinationQuerySet) -> list[DestinationStatus]:
    found = annotated(destinations, router.db_for_read(LogDestination))
    return [DestinationStatus(destination, destination.head, destination.cut) for destination in found]  # type: ignore[attr-defined]
