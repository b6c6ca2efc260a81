"""Records what people do in the console, in the same chains and by the same writer as destructive calls."""

import os
import pwd
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.conf import settings
from django.db import Error, connections, router, transaction
from django.utils import timezone

from mcpbridge.audit.rows import AuditRow, append_rows, event_row
from mcpbridge.audit.writer import AuditUnavailableError, AuditWriter
from mcpbridge.core.sanitize import sanitize_arguments
from mcpbridge.core.types import Call, Caller, Identity
from mcpbridge.db.timeouts import bounded_read, bounded_transaction, set_statement_timeout, short_busy_timeout
from mcpbridge.models import AuditEvent, Kind, ObservedToken, Result
from mcpbridge.observability.telemetry import spans
from mcpbridge.redaction.masking import MASK

TRANSPORT = "console"
_NOT_NOW = "The audit record cannot be written now, so nothing was done. Try again in a moment."
_writer: AuditWriter | None = None


class TokenNamed(NamedTuple):
    """A token that an action is about, by its public half."""

    env: str
    prefix: str
    name: str = ""

    @property
    def masked(self) -> str:
        """As details name a token: `hsk_live_4f8a2c1bdedf_••••`, which no mask changes."""
        return f"hsk_{self.env}_{self.prefix}_{MASK}"


def set_audit_writer(writer: AuditWriter | None) -> None:
    """Let the events of this process share the commits of `writer`, from now until this is called with None."""
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
) -> None:
    """Return once `action`, such as `console.sign_in`, by the person `actor` is in the record of workspace `org_id`.

    Inside a transaction the row joins it, so that a change and its record come in together or not at all; record
    last in there, since the workspace's chain is held from then on. Elsewhere it is durably committed.
    Raises AuditUnavailableError where that cannot be done in time; then the action must not be done either.
    """
    alias = router.db_for_write(AuditEvent)
    about = token or TokenNamed("", "")
    call = Call(
        call_id=uuid.uuid4(),
        at=timezone.now(),
        caller=Caller(about.env, about.prefix, transport=TRANSPORT, address=address, request_id=request_id),
        identity=Identity(org_id, org_name or _name_of(alias, org_id), "", "", about.name, ()),
        tool=action,
        kind=Kind.CONSOLE,
        target_type=target_type,
        target_id=target_id,
        target_label=target_label,
        arguments=sanitize_arguments(_named(details or {}), "full"),
    )
    with spans.step("record event"):
        record_row(alias, event_row(call, actor=actor, note=note, result=result))


def _named(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details with the tokens among them as people may see them."""
    return {name: value.masked if isinstance(value, TokenNamed) else value for name, value in details.items()}


def record_row(alias: str, row: AuditRow) -> None:
    """Bring one row that a person caused into the record, as `record_event` says."""
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
    """A part of the caller's transaction, or one of its own where there is none, that does not wait for long."""
    limit_s = settings.AUDIT_WRITE_TIMEOUT_MS / 1000
    if connections[alias].in_atomic_block:
        with transaction.atomic(using=alias):
            set_statement_timeout(alias, limit_s=limit_s)
            yield
    else:
        with short_busy_timeout(alias, limit_s=limit_s), bounded_transaction(alias, limit_s=limit_s):
            yield


def operator() -> str:
    """Who runs a management command, as far as the machine knows."""
    user = os.getuid()
    try:
        login = pwd.getpwuid(user).pw_name
    except KeyError:
        login = str(user)
    return f"{login} (command line)"


def _name_of(alias: str, org_id: str) -> str:
    """What the workspace was called when it was last heard of; raises AuditUnavailableError where that takes long."""
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
