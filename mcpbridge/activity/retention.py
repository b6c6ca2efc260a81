"""Lets old activity go: months of it at once where they are old altogether (PostgreSQL), the rest in small batches.

The activity is no evidence, so nothing is exported first; that it was removed is a row in the record of each workspace
that lost some. Counts by hour, and what is known of tokens and assistants, stay.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connections, router
from django.utils import timezone

from mcpbridge.activity.partitions import LIMIT_S, MONTHS_LOCK, drop_months, has_months, make_months, month_of
from mcpbridge.audit.console_events import record_event
from mcpbridge.db.locks import try_acquire_lock
from mcpbridge.db.timeouts import bounded_read, bounded_transaction
from mcpbridge.models import AuditEvent, ToolCall

ACTION = "console.activity_prune"
ROWS_AT_ONCE = 500
# Others write in between.
_PAUSE_S = 0.02
_ROUND_S = 1.0
_BY_ITSELF = "the console (ACTIVITY_DAYS)"
# The workspaces are found by hopping from one to the next in an index, whatever the number of their rows.
_WORKSPACES = """
WITH RECURSIVE hop(org_id) AS (
    SELECT MIN(org_id) FROM {calls}
    UNION ALL
    SELECT (SELECT MIN(c.org_id) FROM {calls} c WHERE c.org_id > hop.org_id) FROM hop WHERE hop.org_id IS NOT NULL
)
SELECT org_id FROM hop
WHERE org_id IS NOT NULL AND EXISTS (SELECT 1 FROM {calls} c WHERE c.org_id = hop.org_id AND c.at < %s)
"""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed: `parts` months at once, and `rows` rows by themselves; `is_done` where nothing is left."""

    parts: int
    rows: int
    is_done: bool


def prune_activity(*, before: datetime, actor: str, goes_on: Callable[[], bool] = lambda: True) -> Pruned:
    """Remove the calls that were made before `before`, of all workspaces, for as long as it `goes_on`.

    Raises ValueError for an instant to come, and AuditUnavailableError where it cannot be recorded; then nothing was
    removed.
    """
    if before > timezone.now():
        raise ValueError("What was not made yet cannot be removed: the date lies in the future.")
    alias = router.db_for_write(ToolCall)
    with bounded_transaction(alias, limit_s=LIMIT_S):
        # Another machine may be at it; what it leaves is removed below, twice at worst.
        parts = _drop_recorded(alias, before, actor) if try_acquire_lock(alias, MONTHS_LOCK) else 0
    rows = 0
    for org_id in _workspaces(alias, before):
        while goes_on() and (removed := _remove_some(alias, org_id, before)):
            rows += removed
            time.sleep(_PAUSE_S)
    return Pruned(parts, rows, is_done=not _workspaces(alias, before))


def _drop_recorded(alias: str, before: datetime, actor: str) -> int:
    """Note in each workspace's record that its calls go, and drop the months that go whole."""
    concerned = _workspaces(alias, before)
    parts = drop_months(alias, before=before) if has_months(alias) else 0
    for org_id in filter(None, concerned):
        if not _is_recorded(alias, org_id, before):
            record_event(
                org_id=org_id,
                action=ACTION,
                actor=actor,
                target_type="activity",
                details={"before": before.isoformat()},
            )
    return parts


def _is_recorded(alias: str, org_id: str, before: datetime) -> bool:
    """Whether somebody began with it already: an earlier round, or another machine."""
    rows = AuditEvent.objects.using(alias).filter(org_id=org_id, tool=ACTION).order_by("-recorded_at", "-id")
    last = rows.values_list("arguments", flat=True).first()
    return last is not None and last.get("before") == before.isoformat()


def _workspaces(alias: str, before: datetime) -> list[str]:
    """The workspaces with calls from before `before`; an empty id stands for calls of which none is known."""
    connection = connections[alias]
    question = _WORKSPACES.format(calls=connection.ops.quote_name(ToolCall._meta.db_table))
    with bounded_read(alias, limit_s=LIMIT_S), connection.cursor() as cursor:
        cursor.execute(question, [connection.ops.adapt_datetimefield_value(before)])
        return [org_id for (org_id,) in cursor.fetchall()]


def _remove_some(alias: str, org_id: str, before: datetime) -> int:
    with bounded_transaction(alias, limit_s=LIMIT_S):
        calls = ToolCall.objects.using(alias).filter(org_id=org_id)
        old = list(calls.filter(at__lt=before).order_by("at", "pk").values_list("at", "pk")[:ROWS_AT_ONCE])
        if not old:
            return 0
        # The instants say in which months to look.
        calls.filter(at__gte=old[0][0], at__lte=old[-1][0], pk__in=[pk for _, pk in old]).delete()
    return len(old)


class ActivityRetention:
    """Makes months ahead of time, and removes what is older than `days` days, if any number is given.

    Where the activity lies in months, they go whole, so that a call is kept for up to a month longer.
    """

    def __init__(self, days: int) -> None:
        self._days = days

    def run(self) -> bool:
        """Do what is due, for about a second; False where more is left."""
        alias, now = router.db_for_write(ToolCall), timezone.now()
        make_months(alias, now=now)
        if not self._days:
            return True
        day = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=self._days)
        before, until = month_of(day) if has_months(alias) else day, time.monotonic() + _ROUND_S
        return prune_activity(before=before, actor=_BY_ITSELF, goes_on=lambda: time.monotonic() < until).is_done
