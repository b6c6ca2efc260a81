"""Mark destructive calls without an outcome as unknown, and record what a member finds out about them.

If a process dies or loses the database between a call and its outcome, only the intent is stored. Hoursmith cannot be
asked, because it answers only the caller's own token, which is not stored. So the audit log says "unknown", and a
member who checks in Hoursmith resolves it. Both are rows of their own.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import router, transaction
from django.db.models import BooleanField, Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from mcpbridge.audit.console_events import record_row
from mcpbridge.audit.heads import chain_lock, chain_statuses
from mcpbridge.audit.rows import NOTE_LENGTH, AuditRow, call_of, resolution_row, unknown_row
from mcpbridge.db.locks import acquire_locks
from mcpbridge.db.timeouts import bounded_read
from mcpbridge.models import AuditEvent, AuditPhase, Result

logger = logging.getLogger(__name__)

_AT_ONCE = 100
_READ_LIMIT_S = 30.0
# A row is visible at most this long after its recorded_at, clock differences between machines included.
_MARGIN = timedelta(minutes=10)


class NothingToResolveError(Exception):
    """The call does not exist in this workspace, has a known outcome, or is already resolved."""


def outcome_deadline() -> timedelta:
    """Return the age at which a call without an outcome is marked as unknown; no call takes longer."""
    return timedelta(seconds=max(60.0, 3 * settings.UPSTREAM_TIMEOUT_S))


class OutcomeReconciler:
    """Marks calls whose outcome is overdue. The first run reads all intents, later runs only new ones."""

    def __init__(self, write: Callable[[Sequence[AuditRow]], None]) -> None:
        """`write` stores rows, as `AuditWriter.record` does."""
        self._write = write
        self._alias = router.db_for_write(AuditEvent)
        self._since: datetime | None = None

    def run(self) -> int:
        """Mark each overdue call as unknown, once; return how many were marked.

        An outcome that comes later is still stored.
        """
        before, found = timezone.now() - outcome_deadline(), 0
        with bounded_read(self._alias, limit_s=_READ_LIMIT_S):
            call_ids = list(self._overdue(before))
        for start in range(0, len(call_ids), _AT_ONCE):
            found += self._mark(call_ids[start : start + _AT_ONCE], before)
        self._since = before - _MARGIN
        return found

    def _overdue(self, before: datetime) -> Iterator[UUID]:
        intents = AuditEvent.objects.using(self._alias).filter(phase=AuditPhase.INTENT).order_by()
        without_outcome = intents.exclude(
            Exists(_rows_of_the_call(self._alias, AuditPhase.OUTCOME, AuditPhase.UNKNOWN))
        )
        if self._since is None:
            # Selecting this column alone, in its order, lets the database use an index only.
            yield from without_outcome.order_by("call_id").values_list("call_id", flat=True)
            return
        for status in chain_statuses(self._alias):
            new = without_outcome.filter(org_id=status.org_id, recorded_at__gte=self._since, recorded_at__lt=before)
            yield from new.values_list("call_id", flat=True)

    def _mark(self, call_ids: list[UUID], before: datetime) -> int:
        with bounded_read(self._alias, limit_s=_READ_LIMIT_S):
            intents = AuditEvent.objects.using(self._alias).filter(call_id__in=call_ids, phase=AuditPhase.INTENT)
            rows = [unknown_row(call_of(intent)) for intent in intents.filter(recorded_at__lt=before)]
        if rows:
            self._write(rows)
        for row in rows:
            logger.warning("Call %s (%s) has no outcome and was marked as unknown.", row.call.call_id, row.call.tool)
        return len(rows)


def unresolved(org_id: str) -> QuerySet[AuditEvent]:
    """Return the unresolved unknown outcomes of the workspace, one row per call.

    Each is a row that marks the outcome as unknown, or an outcome that Hoursmith's answer left open.
    """
    alias = router.db_for_read(AuditEvent)
    # Written as SQL, because SQLite uses the partial index only for this exact condition.
    is_unknown = RawSQL(f"result = '{Result.UNKNOWN.value}'", [], output_field=BooleanField())  # noqa: S611
    better = _rows_of_the_call(alias, AuditPhase.OUTCOME, AuditPhase.RESOLUTION)
    resolved = _rows_of_the_call(alias, AuditPhase.RESOLUTION)
    return AuditEvent.objects.filter(is_unknown, org_id=org_id).filter(
        (Q(phase=AuditPhase.UNKNOWN) & ~Exists(better)) | (Q(phase=AuditPhase.OUTCOME) & ~Exists(resolved))
    )


def resolve_outcome(*, call_id: UUID, org_id: str, actor: str, note: str) -> None:
    """Record what `actor` found out about a call whose outcome is unknown or failed.

    Raises ValueError unless `note` has 1 to 1000 characters, NothingToResolveError, and AuditUnavailableError.
    """
    note = note.strip()
    if not 0 < len(note) <= NOTE_LENGTH:
        raise ValueError(f"The note must have 1 to {NOTE_LENGTH} characters.")
    alias = router.db_for_write(AuditEvent)
    with transaction.atomic(using=alias):
        # Of two concurrent resolutions, the second finds the row of the first.
        acquire_locks(alias, chain_lock(org_id))
        rows = {row.phase: row for row in AuditEvent.objects.using(alias).filter(call_id=call_id, org_id=org_id)}
        outcome = rows.get(AuditPhase.OUTCOME) or rows.get(AuditPhase.UNKNOWN)
        is_open = outcome is not None and outcome.result in (Result.UNKNOWN, Result.FAILED)
        if outcome is None or not is_open or AuditPhase.RESOLUTION in rows:
            raise NothingToResolveError
        # The intent is the oldest row of the call and may have been pruned.
        record_row(alias, resolution_row(call_of(rows.get(AuditPhase.INTENT, outcome)), actor=actor, note=note))


def _rows_of_the_call(alias: str, *phases: AuditPhase) -> QuerySet[AuditEvent]:
    rows = AuditEvent.objects.using(alias).filter(call_id=OuterRef("call_id"), phase__in=phases)
    return rows.order_by()
