"""Record console events in the same chains and through the same writer as destructive calls."""

import os
import pwd
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.conf import settings
from django.db import Error, connections, router, transaction
from django.utils import timezone

from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.audit.rows import AuditRow, append_rows, event_row
from mcpbridge.audit.writer import AuditWriter
from mcpbridge.core.sanitize import sanitize_arguments
from mcpbridge.core.types import Call, Caller, Identity
from mcpbridge.db.timeouts import bounded_read, bounded_transaction, set_statement_timeout, short_busy_timeout
from mcpbridge.models import AuditEvent, CallKind, ObservedToken, Result
from mcpbridge.observability.telemetry import spans
from mcpbridge.redaction.masking import MASK

TRANSPORT = "console"
_NOT_NOW = "The audit log cannot be written now, so nothing was done. Try again in a moment."
_writer: AuditWriter | None = None


class TokenNamed(NamedTuple):
    """A token that an event is about, named by its prefix."""

    env: str
    prefix: str
    name: str = ""

    @property
    def masked(self) -> str:
        """Return the masked token as event details name it: `hsk_live_4f8a2c1bdedf_••••`."""
        return f"hsk_{self.env}_{self.prefix}_{MASK}"


def set_audit_writer(writer: AuditWriter | None) -> None:
    """Set the audit writer through which this process records events; None to write directly."""
    global _writer
    _writer = writer


def record_event(
    *,
    org_id: str,
    action: str,
    actor: str,
    org_name: str = "",
    target_type: str = "",
    target_id: str = "",
    target_label: str = "",
    details: Mapping[str, Any] | None = None,
    token: TokenNamed | None = None,
    note: str = "",
    result: Result = Result.SUCCEEDED,
    address: str = "",
    request_id: str = "",
    epoch: int | None = None,
) -> None:
    """Record `action`, such as `console.sign_in`, by `actor` in the audit log of workspace `org_id`.

    With `epoch` the row begins that epoch; only an upgrade or a restore does so.

    Inside a transaction the row joins it, so that a change and its audit row are committed together; record last,
    because the chain is locked from then on. Outside of one, return once the row is durably committed.
    Raises AuditUnavailableError if that is not possible in time; then the action must not be done either.
    """
    alias = router.db_for_write(AuditEvent)
    about = token or TokenNamed("", "")
    call = Call(
        call_id=uuid.uuid4(),
        at=timezone.now(),
        caller=Caller(about.env, about.prefix, transport=TRANSPORT, address=address, request_id=request_id),
        identity=Identity(org_id, org_name or _name_of(alias, org_id), "", "", about.name, ()),
        tool=action,
        kind=CallKind.CONSOLE,
        target_type=target_type,
        target_id=target_id,
        target_label=target_label,
        arguments=sanitize_arguments(_named(details or {}), "full"),
    )
    with spans.step("record event"):
        record_row(alias, event_row(call, actor=actor, note=note, result=result, epoch=epoch))


def _named(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the details with masked tokens."""
    return {name: value.masked if isinstance(value, TokenNamed) else value for name, value in details.items()}


def record_row(alias: str, row: AuditRow) -> None:
    """Store one audit row, as `record_event` describes."""
    if not connections[alias].in_atomic_block and _writer is not None:
        _writer.record([row])
        return
    try:
        with _transaction(alias):
            append_rows(alias, [row])
    except Error as error:
        raise AuditUnavailableError(_NOT_NOW) from error


@contextmanager
def _transaction(alias: str) -> Iterator[None]:
    """Open a savepoint in the caller's transaction, or a transaction, with a short time limit."""
    limit_s = settings.AUDIT_WRITE_TIMEOUT_MS / 1000
    if connections[alias].in_atomic_block:
        with transaction.atomic(using=alias):
            set_statement_timeout(alias, limit_s=limit_s)
            yield
    else:
        with short_busy_timeout(alias, limit_s=limit_s), bounded_transaction(alias, limit_s=limit_s):
            yield


def operator() -> str:
    """Return the login name of the user who runs a management command."""
    user = os.getuid()
    try:
        login = pwd.getpwuid(user).pw_name
    except KeyError:
        login = str(user)
    return f"{login} (command line)"


def _name_of(alias: str, org_id: str) -> str:
    """Return the last known name of the workspace. Raises AuditUnavailableError if the query times out."""
    events = AuditEvent.objects.using(alias).filter(org_id=org_id).order_by("-sequence")
    tokens = ObservedToken.objects.using(alias).filter(org_id=org_id).order_by("-last_used_at")
    try:
        with bounded_read(alias, limit_s=settings.AUDIT_WRITE_TIMEOUT_MS / 1000):
            for rows in (tokens, events):
                if name := rows.values_list("org_name", flat=True).first():
                    return str(name)
    except Error as error:
        raise AuditUnavailableError(_NOT_NOW) from error
    return ""
