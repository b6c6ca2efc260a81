"""Runs the verifier over one workspace's chain in the background, and remembers what came of it."""

import logging
import threading
from dataclasses import dataclass
from uuid import UUID

from django.db import Error, close_old_connections, connections, router, transaction
from django.utils import timezone

from hoursmith_console.audit.models import Verification
from mcpbridge.audit.export.source import known_workspaces
from mcpbridge.audit.verification import UnusableInputError, VerificationReport
from mcpbridge.audit.verification.sources import stored_rows, verify_stored
from mcpbridge.db.locks import acquire_locks
from mcpbridge.models import AuditEvent

logger = logging.getLogger(__name__)

_SAY_EVERY_S = 1.0
_NOTHING = "There is nothing in the record yet."
_NOT_DONE = "The database was away, or something unforeseen happened; the log says what."


@dataclass(frozen=True, slots=True)
class Standing:
    """The run that goes on, if any, and the last one that ended."""

    running: Verification | None
    last: Verification | None

    @property
    def is_broken(self) -> bool:
        """Whether the chain did not hold when it was last verified."""
        return self.last is not None and self.last.is_sound is False


def verification_standing(*, org_id: str) -> Standing:
    """How the workspace's record stands, in one query."""
    runs = list(Verification.objects.filter(org_id=org_id)[:5])
    running = runs[0] if runs and runs[0].is_running else None
    return Standing(running, next((run for run in runs if run.ended_at or run.is_lost), None))


def verification_start(*, org_id: str, actor: str) -> Verification:
    """Verify the workspace's record on a thread of its own; the run that goes on already, where there is one."""
    total = stored_rows(org_id)
    alias = router.db_for_write(Verification)
    with transaction.atomic(using=alias):
        # Of two people at once the second joins the first one's run.
        acquire_locks(alias, f"verification {org_id}")
        if running := verification_standing(org_id=org_id).running:
            return running
        run = Verification.objects.create(org_id=org_id, asked_by=actor, total=total)
    threading.Thread(target=_in_background, args=[run], name="verification", daemon=True).start()
    return run


def verification_run(*, run: Verification) -> None:
    """Verify now, and remember the result."""
    work = _Work(run.org_id)
    work.do()
    work.settle(run)


class _Work:
    """The verifier at work. It must not share a connection with what says how far it is: on SQLite a connection
    that reads the past cannot write."""

    def __init__(self, org_id: str) -> None:
        self.org_id = org_id
        self.rows = 0
        self.verdict: VerificationReport | None = None
        self.fault = ""

    def do(self) -> None:
        """Read and check the whole chain."""
        try:
            if self.org_id in known_workspaces():
                self.verdict = verify_stored(workspace=self.org_id, progress=self._reached)
            else:
                self.fault = _NOTHING
        except UnusableInputError as error:
            self.fault = str(error)
        except Exception:
            # Whatever it was, the page must not wait for it forever.
            logger.exception("The record of workspace %s could not be verified.", self.org_id)
            self.fault = _NOT_DONE

    def do_and_leave(self) -> None:
        """The same on a thread that ends with it."""
        try:
            self.do()
        finally:
            connections.close_all()

    def settle(self, run: Verification) -> None:
        """Write down what came of it."""
        run.seen_at = run.ended_at = timezone.now()
        run.rows, run.fault = self.rows, self.fault[:200]
        if self.verdict is not None:
            run.is_sound, run.rows = self.verdict.is_ok, self.verdict.rows
            run.vouched = max((chain.vouched for chain in self.verdict.chains), default=0)
            if bad := self.verdict.first_bad:
                run.bad_kind, run.bad_sequence, run.bad_reason = bad.kind.value, bad.sequence, bad.reason[:400]
                run.bad_row = bad.id or ""
                run.bad_call = _call_of(self.org_id, run.bad_row)
        run.save()

    def _reached(self, rows: int) -> None:
        self.rows = rows


def _in_background(run: Verification) -> None:
    work = _Work(run.org_id)
    reader = threading.Thread(target=work.do_and_leave, name="verification-reader", daemon=True)
    reader.start()
    try:
        while reader.is_alive():
            reader.join(_SAY_EVERY_S)
            _say(run, work.rows)
        work.settle(run)
    except Error:
        logger.exception("The result of a verification of workspace %s could not be kept.", run.org_id)
    finally:
        connections.close_all()


def _say(run: Verification, rows: int) -> None:
    try:
        Verification.objects.filter(pk=run.pk).update(rows=rows, seen_at=timezone.now())
    except Error:
        # How far it is can wait; the result is tried for once more.
        close_old_connections()


def _call_of(org_id: str, row: str) -> UUID | None:
    try:
        found = AuditEvent.objects.filter(org_id=org_id, pk=UUID(row)).values_list("call_id", flat=True).first()
    except ValueError:
        return None
    return found
