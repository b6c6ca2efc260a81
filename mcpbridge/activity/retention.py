"""Delete old activity: whole monthly partitions on PostgreSQL, other rows in small batches.

The activity log is not evidence, so nothing is exported first; each workspace that loses rows gets an audit row. Hourly
counters and observed tokens and clients are kept.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connections, router
from django.db.models import Q
from django.utils import timezone

from mcpbridge.activity.partitions import LIMIT_S, MONTHS_LOCK, drop_months, has_months, make_months, month_of
from mcpbridge.audit.console_events import record_event
from mcpbridge.db.locks import try_acquire_lock
from mcpbridge.db.timeouts import bounded_read, bounded_transaction
from mcpbridge.models import AuditEvent, Grant, ToolCall

ACTION = "console.activity_prune"
ROWS_AT_ONCE = 500
# Other writers get their turn in between.
_PAUSE_S = 0.02
_RUN_S = 1.0
_ACTOR = "the console (ACTIVITY_DAYS)"
# Find the workspaces by skipping through an index, independent of the number of rows.
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
    """What was removed: `parts` partitions and `rows` single rows; `is_done` if no old rows are left."""

    parts: int
    rows: int
    is_done: bool


def prune_activity(*, before: datetime, actor: str, goes_on: Callable[[], bool] = lambda: True) -> Pruned:
    """Remove the calls of all workspaces from before `before`, while `goes_on()` is true.

    Raises ValueError if `before` is in the future, and AuditUnavailableError if the removal cannot be recorded; then
    nothing was removed.
    """
    if before > timezone.now():
        raise ValueError("The date must not be in the future.")
    alias = router.db_for_write(ToolCall)
    with bounded_transaction(alias, limit_s=LIMIT_S):
        # Another machine may hold the lock; rows that it leaves are removed below.
        parts = _drop_recorded(alias, before, actor) if try_acquire_lock(alias, MONTHS_LOCK) else 0
    rows = 0
    for org_id in _workspaces(alias, before):
        while goes_on() and (removed := _remove_some(alias, org_id, before)):
            rows += removed
            time.sleep(_PAUSE_S)
    return Pruned(parts, rows, is_done=not _workspaces(alias, before))


def _drop_recorded(alias: str, before: datetime, actor: str) -> int:
    """Record the removal in each affected workspace, and drop the old partitions; return how many."""
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
    """Return whether an earlier run or another machine has recorded this removal."""
    rows = AuditEvent.objects.using(alias).filter(org_id=org_id, tool=ACTION).order_by("-recorded_at", "-id")
    last = rows.values_list("arguments", flat=True).first()
    return last is not None and last.get("before") == before.isoformat()


def _workspaces(alias: str, before: datetime) -> list[str]:
    """Return the workspaces with calls from before `before`; an empty id for calls without a workspace."""
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
        # The instants limit the partitions to read.
        calls.filter(at__gte=old[0][0], at__lte=old[-1][0], pk__in=[pk for _, pk in old]).delete()
    return len(old)


def _remove_grants(alias: str, before: datetime) -> None:
    """Remove some grants of assistants that were over before `before`; the audit log keeps who gave and ended them."""
    with bounded_transaction(alias, limit_s=LIMIT_S):
        over = Grant.objects.using(alias).filter(Q(ended_at__lt=before) | Q(expires_at__lt=before))
        # Not while the restrictions need it to refuse what has not expired.
        over = over.exclude(refused_until__gt=timezone.now())
        old = list(over.order_by("created_at").values_list("pk", flat=True)[:ROWS_AT_ONCE])
        if old:
            Grant.objects.using(alias).filter(pk__in=old).delete()


class ActivityRetention:
    """Creates partitions in advance, and removes activity older than `days` days; 0 keeps it forever.

    Partitions are dropped as a whole, so a call may be kept for up to a month longer.
    """

    def __init__(self, days: int) -> None:
        self._days = days

    def run(self) -> bool:
        """Work for about a second; return False if more is left to do."""
        alias, now = router.db_for_write(ToolCall), timezone.now()
        make_months(alias, now=now)
        if not self._days:
            return True
        day = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=self._days)
        before, until = month_of(day) if has_months(alias) else day, time.monotonic() + _RUN_S
        _remove_grants(alias, before)
        return prune_activity(before=before, actor=_ACTOR, goes_on=lambda: time.monotonic() < until).is_done
