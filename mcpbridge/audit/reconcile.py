"""Destructive calls of which no outcome came: finding them, saying so in the record, and what a person found out.

A process that dies, or a database that stays away, between a call and its outcome leaves an intent alone. Hoursmith
cannot be asked what became of it: it answers nobody but the caller's own token, which is in no record. So
the record says "unknown", and a person who looks there writes down what they found. Both are rows of their own.
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
from mcpbridge.models import AuditEvent, Phase, Result

logger = logging.getLogger(__name__)

_AT_ONCE = 100
_LOOK_LIMIT_S = 30.0
# A row is in sight at the latest this long after the instant that it bears, clocks of several machines included.
_MARGIN = timedelta(minutes=10)


class NothingToResolveError(Exception):
    """The call does not exist in this workspace, ended in a known way, or was resolved before."""


def outcome_deadline() -> timedelta:
    """How long a call without an outcome counts as under way; no call lives longer than this."""
    return timedelta(seconds=max(60.0, 3 * settings.UPSTREAM_TIMEOUT_S))


class OutcomeReconciler:
    """Marks the calls whose outcome is overdue. Looks through the whole record once, then at what is new in it."""

    def __init__(self, write: Callable[[Sequence[AuditRow]], None]) -> None:
        """`write` brings rows into the record, as `AuditWriter.record` does."""
        self._write = write
        self._alias = router.db_for_write(AuditEvent)
        self._since: datetime | None = None

    def run(self) -> int:
        """Say of each call without an outcome that it is unknown, once; how many there were.

        An outcome may still come later, and is taken.
        """
        before, found = timezone.now() - outcome_deadline(), 0
        with bounded_read(self._alias, limit_s=_LOOK_LIMIT_S):
            call_ids = list(self._overdue(before))
        for start in range(0, len(call_ids), _AT_ONCE):
            found += self._mark(call_ids[start : start + _AT_ONCE], before)
        self._since = before - _MARGIN
        return found

    def _overdue(self, before: datetime) -> Iterator[UUID]:
        intents = AuditEvent.objects.using(self._alias).filter(phase=Phase.INTENT).order_by()
        lost = intents.exclude(Exists(_rows_of_the_call(self._alias, Phase.OUTCOME, Phase.UNKNOWN)))
        if self._since is None:
            # Asked for nothing but this, the database need not look beyond one index.
            yield from lost.values_list("call_id", flat=True)
            return
        for status in chain_statuses(self._alias):
            new = lost.filter(org_id=status.org_id, recorded_at__gte=self._since, recorded_at__lt=before)
            yield from new.values_list("call_id", flat=True)

    def _mark(self, call_ids: list[UUID], before: datetime) -> int:
        with bounded_read(self._alias, limit_s=_LOOK_LIMIT_S):
            intents = AuditEvent.objects.using(self._alias).filter(call_id__in=call_ids, phase=Phase.INTENT)
            rows = [unknown_row(call_of(intent)) for intent in intents.filter(recorded_at__lt=before)]
        if rows:
            self._write(rows)
        for row in rows:
            logger.warning("No outcome of call %s (%s) came: it is unknown.", row.call.call_id, row.call.tool)
        return len(rows)


def unresolved(org_id: str) -> QuerySet[AuditEvent]:
    """The rows that say of a call in the workspace that its outcome is unknown, and nothing better came since.

    One row a call: what the sweep wrote, or an outcome that Hoursmith's answer left open.
    """
    alias = router.db_for_read(AuditEvent)
    # Written out, because SQLite uses the small index on just these rows only for this very condition.
    is_unknown = RawSQL(f"result = '{Result.UNKNOWN.value}'", [], output_field=BooleanField())  # noqa: S611
    better = _rows_of_the_call(alias, Phase.OUTCOME, Phase.RESOLUTION)
    resolved = _rows_of_the_call(alias, Phase.RESOLUTION)
    return AuditEvent.objects.filter(is_unknown, org_id=org_id).filter(
        (Q(phase=Phase.UNKNOWN) & ~Exists(better)) | (Q(phase=Phase.OUTCOME) & ~Exists(resolved))
    )


def resolve_outcome(*, call_id: UUID, org_id: str, actor: str, note: str) -> None:
    """Record what `actor` found out about a call whose outcome is unknown, or that failed on the way back.

    `note` has 1 to 1000 characters, else ValueError. Raises NothingToResolveError, and AuditUnavailableError where
    the record cannot be written now.
    """
    note = note.strip()
    if not 0 < len(note) <= NOTE_LENGTH:
        raise ValueError(f"The note must have 1 to {NOTE_LENGTH} characters.")
    alias = router.db_for_write(AuditEvent)
    with transaction.atomic(using=alias):
        # Two people at once: the second finds the first one's row.
        acquire_locks(alias, chain_lock(org_id))
        rows = {row.phase: row for row in AuditEvent.objects.using(alias).filter(call_id=call_id, org_id=org_id)}
        outcome = rows.get(Phase.OUTCOME) or rows.get(Phase.UNKNOWN)
        is_open = outcome is not None and outcome.result in (Result.UNKNOWN, Result.FAILED)
        if outcome is None or not is_open or Phase.RESOLUTION in rows:
            raise NothingToResolveError
        # The intent, older than the rest, may have been removed under retention.
        record_row(alias, resolution_row(call_of(rows.get(Phase.INTENT, outcome)), actor=actor, note=note))


def _rows_of_the_call(alias: str, *phases: Phase) -> QuerySet[AuditEvent]:
    rows = AuditEvent.objects.using(alias).filter(call_id=OuterRef("call_id"), phase__in=phases)
    return rows.order_by()
