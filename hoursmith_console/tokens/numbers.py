"""The numbers of tool calls on every page: what each one counts, and the address of the list of exactly these calls.

A call is counted once: by its kind if it succeeded, else as refused. "Attempted" counts destructive calls whatever
became of them, so it is no part of the sum.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Sum
from django.db.models.expressions import Combinable
from django.urls import reverse
from django.utils import timezone

from hoursmith_console.tokens.filters import token_key
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.activity.retention import ACTION as PRUNED
from mcpbridge.models import AuditEvent, CallKind, ObservedToken, Result

_SUCCEEDED = {"result": Result.SUCCEEDED.value}
UNSUCCESSFUL = "unsuccessful"


@dataclass(frozen=True, slots=True)
class CallNumber:
    """One number: its label, the usage counters that add up to it, and the filters of the activity list."""

    label: str
    counters: tuple[str, ...]
    filters: Mapping[str, str]

    def of(self, counted: Any) -> int:
        """Return the number on a row with usage counters."""
        return sum(getattr(counted, f"calls_{counter}") for counter in self.counters)

    @property
    def column(self) -> Combinable:
        """The number as an expression of a row with usage counters."""
        first, *others = (F(f"calls_{counter}") for counter in self.counters)
        return sum(others, start=first)

    @property
    def total(self) -> Sum:
        """The number as an aggregate over rows with usage counters."""
        return Sum(self.column)

    def address(self, **filters: str) -> str:
        """Return the address of the list of these calls, narrowed by more `filters`."""
        return reverse("console:activity:list", query={**filters, **self.filters})


SERIES = {
    "read": CallNumber("Read", ("read",), {"kind": CallKind.READ.value, **_SUCCEEDED}),
    "write": CallNumber("Write", ("write",), {"kind": CallKind.WRITE.value, **_SUCCEEDED}),
    "destructive": CallNumber("Destructive", ("destructive",), {"kind": CallKind.DESTRUCTIVE.value, **_SUCCEEDED}),
    "refused": CallNumber("Refused or failed", ("refused",), {"result": UNSUCCESSFUL}),
}
CALLS = CallNumber("Calls", tuple(SERIES), {})
ATTEMPTED = CallNumber("Destructive, attempted", ("attempted",), {"kind": CallKind.DESTRUCTIVE.value})


@dataclass(frozen=True, slots=True)
class Counted:
    """A number with its label and the address of its calls; no address if some of them are not kept any more."""

    label: str
    number: int
    address: str


def token_numbers(token: ObservedToken, *, kept_from: datetime | None) -> dict[str, Counted]:
    """Return the numbers of a token since its first use: those of `SERIES`, then `attempted` and `calls`."""
    is_kept, key = kept_from is None or token.first_used_at >= kept_from, token_key(token)
    numbers = {**SERIES, "attempted": ATTEMPTED, "calls": CALLS}
    return {
        name: Counted(number.label, number.of(token), number.address(token=key) if is_kept else "")
        for name, number in numbers.items()
    }


def minute_text(instant: datetime) -> str:
    """Return the minute of `instant` as the filter by time takes it."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def within(start: datetime, length: timedelta) -> dict[str, str]:
    """Return the filters for calls in the whole minutes of `length` from `start` (UTC)."""
    return {"since": minute_text(start), "until": minute_text(start + length - timedelta(minutes=1))}


def activity_kept_from(viewer: Viewer) -> datetime | None:
    """Return the instant before which activity was removed; None if all of it is kept.

    Usage counters outlast the calls that they count, so a number that begins earlier has no list of its calls.
    """
    if "activity_kept_from" not in viewer.cache:
        pruned = AuditEvent.objects.filter(org_id=viewer.org_id, tool=PRUNED).order_by("-recorded_at", "-pk")
        edges = [_instant(arguments) for arguments in pruned.values_list("arguments", flat=True)[:1]]
        if settings.ACTIVITY_DAYS:
            edges.append(timezone.now() - timedelta(days=settings.ACTIVITY_DAYS))
        viewer.cache["activity_kept_from"] = max(filter(None, edges), default=None)
    found: datetime | None = viewer.cache["activity_kept_from"]
    return found


def _instant(arguments: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(arguments["before"])
    except (KeyError, TypeError, ValueError):
        return None
