"""Verify one workspace's audit log in the background, and store the result."""

import logging
import threading
from dataclasses import dataclass
from uuid import UUID

from django.db import Error, close_old_connections, connections, router, transaction
from django.utils import timezone

from hoursmith_console.audit.models import Verification
from hoursmith_console.audit.verification.anchors import AnchorStatus, anchor_status
from hoursmith_console.audit.verification.epochs import EpochNote, epoch_notes
from mcpbridge.audit.export.source import known_workspaces
from mcpbridge.audit.verification import UnusableInputError, VerificationReport
from mcpbridge.audit.verification.sources import stored_rows, verify_stored
from mcpbridge.db.locks import acquire_locks
from mcpbridge.models import AuditEvent

logger = logging.getLogger(__name__)

_SAVE_EVERY_S = 1.0
_EMPTY = "The audit log is empty."
_FAILED = "The verification failed; see the server log."


@dataclass(frozen=True, slots=True)
class VerificationStatus:
    """The run in progress, if any, the last one that ended, and what the anchor of this node says of the log."""

    org_id: str
    running: Verification | None
    last: Verification | None
    anchor: AnchorStatus

    @property
    def epochs(self) -> list[EpochNote]:
        """How the log continued after restores and lost keys; asked of the database by the pages that show it."""
        return epoch_notes(self.org_id)

    @property
    def is_broken(self) -> bool:
        """Whether the last verification found tampering."""
        return self.last is not None and self.last.is_sound is False


def verification_status(*, org_id: str) -> VerificationStatus:
    """Return the state of the workspace's verifications, in one query."""
    runs = list(Verification.objects.filter(org_id=org_id)[:5])
    running = runs[0] if runs and runs[0].is_running else None
    last = next((run for run in runs if run.ended_at or run.is_lost), None)
    return VerificationStatus(org_id, running, last, anchor_status(org_id))


def start_verification(*, org_id: str, actor: str) -> Verification:
    """Start to verify the workspace's audit log in a thread; return the run in progress if there is one."""
    total = stored_rows(org_id)
    alias = router.db_for_write(Verification)
    with transaction.atomic(using=alias):
        # The second of two simultaneous requests joins the run of the first.
        acquire_locks(alias, f"verification {org_id}")
        if running := verification_status(org_id=org_id).running:
            return running
        run = Verification.objects.create(org_id=org_id, asked_by=actor, total=total)
    threading.Thread(target=_run_in_background, args=[run], name="verification", daemon=True).start()
    return run


def run_verification(*, run: Verification) -> None:
    """Verify now, and store the result."""
    work = _Work(run.org_id)
    work.run()
    work.save_result(run)


class _Work:
    """One run of the verifier.

    It must not share a connection with the thread that saves the progress: on SQLite, a connection in a read
    transaction cannot write.
    """

    def __init__(self, org_id: str) -> None:
        self.org_id = org_id
        self.rows = 0
        self.verdict: VerificationReport | None = None
        self.fault = ""

    def run(self) -> None:
        """Read and check the whole log."""
        try:
            if self.org_id in known_workspaces():
                self.verdict = verify_stored(workspace=self.org_id, progress=self._on_progress)
            else:
                self.fault = _EMPTY
        except UnusableInputError as error:
            self.fault = str(error)
        except Exception:
            # Any other error must end the run too, or its page would wait forever.
            logger.exception("The audit log of workspace %s could not be verified.", self.org_id)
            self.fault = _FAILED

    def run_in_thread(self) -> None:
        """Run in a thread, and close its database connections."""
        try:
            self.run()
        finally:
            connections.close_all()

    def save_result(self, run: Verification) -> None:
        """Save the result."""
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

    def _on_progress(self, rows: int) -> None:
        self.rows = rows


def _run_in_background(run: Verification) -> None:
    work = _Work(run.org_id)
    reader = threading.Thread(target=work.run_in_thread, name="verification-reader", daemon=True)
    reader.start()
    try:
        while reader.is_alive():
            reader.join(_SAVE_EVERY_S)
            _save_progress(run, work.rows)
        work.save_result(run)
    except Error:
        logger.exception("The result of a verification of workspace %s could not be saved.", run.org_id)
    finally:
        connections.close_all()


def _save_progress(run: Verification, rows: int) -> None:
    try:
        Verification.objects.filter(pk=run.pk).update(rows=rows, seen_at=timezone.now())
    except Error:
        # Progress can be skipped; saving the result is tried again.
        close_old_connections()


def _call_of(org_id: str, row: str) -> UUID | None:
    try:
        found = AuditEvent.objects.filter(org_id=org_id, pk=UUID(row)).values_list("call_id", flat=True).first()
    except ValueError:
        return None
    return found
