"""What people do with sinks. Each change is recorded in the workspace's chain in the same transaction, or not made."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import IntegrityError, router, transaction
from django.db.models import F, Max
from django.utils import timezone

from mcpbridge.audit.console_events import event_record
from mcpbridge.audit.destinations.batches import last_checkpoint
from mcpbridge.audit.destinations.errors import SinkError, UnfitSinkError
from mcpbridge.audit.destinations.secret_box import new_secret, seal
from mcpbridge.audit.destinations.targets import checked_addresses, syslog_destination, webhook_destination
from mcpbridge.audit.destinations.transports.factory import trial_send
from mcpbridge.audit.destinations.transports.file import NAME, NAME_RULE
from mcpbridge.audit.heads import head_of
from mcpbridge.audit.rows import ACTOR_LENGTH
from mcpbridge.core.sanitize import storable
from mcpbridge.db.locks import acquire_locks
from mcpbridge.models import Result, SigningHead
from mcpbridge.models.destinations import FORMATS, Sink, SinkFormat, SinkKind

# Each is looked after by every process, so that there cannot be any number of them.
MOST_SINKS = 10
_AT_ONCE: dict[str, Any] = {"next_try_at": None, "attempts": 0}


def sink_create(
    *, org_id: str, name: str, kind: str, format: str, address: str, from_first_row: bool, actor: str
) -> tuple[Sink, str]:
    """Send the record of the workspace to `address` from now on, or from its first row; the sink and its secret.

    The secret is empty for what is not signed, and never to be had again. Raises UnfitSinkError where something about
    it cannot be, and AuditUnavailableError.
    """
    _check(kind=kind, format=format, address=address)
    alias = router.db_for_write(Sink)
    secret = new_secret() if kind == SinkKind.WEBHOOK else ""
    with _named_once(), transaction.atomic(using=alias):
        # Of two at once, the second counts the first.
        acquire_locks(alias, f"log destinations {org_id}")
        live = Sink.objects.using(alias).live().filter(org_id=org_id)
        if live.count() >= MOST_SINKS:
            raise UnfitSinkError(f"A workspace has at most {MOST_SINKS} sinks. Delete one that is not needed any more.")
        _check_file(org_id, kind, address)
        sink = Sink.objects.using(alias).create(
            org_id=org_id,
            name=name,
            kind=kind,
            format=format,
            address=address,
            sealed_secret=seal(secret, org_id=org_id) if secret else "",
            created_by=storable(actor, ACTOR_LENGTH),
            confirmed=0 if from_first_row else head_of(alias, org_id).sequence,
            confirmed_checkpoint=0 if from_first_row else last_checkpoint(alias, org_id),
        )
        said = {"kind": kind, "format": format, "address": address, "from_row": sink.confirmed + 1}
        _record(sink, "create", actor, said)
    return sink, secret


def sink_change(*, sink: Sink, name: str, format: str, address: str, actor: str) -> None:
    """Call it `name` and send to `address` in `format`, beginning with what waits. Raises as `sink_create` does."""
    wanted = {"name": name, "format": format, "address": address}
    before = {column: getattr(sink, column) for column in wanted if getattr(sink, column) != wanted[column]}
    if not before:
        return
    _check(kind=sink.kind, format=format, address=address)
    with _named_once(), transaction.atomic(using=router.db_for_write(Sink)):
        _check_file(sink.org_id, sink.kind, address, besides=sink.pk)
        _update(sink, **wanted, size_limit=0, **_AT_ONCE)
        changed = {column: wanted[column] for column in before}
        _record(sink, "change", actor, {**changed, "before": before})


def sink_pause(*, sink: Sink, actor: str) -> None:
    """Send nothing more until it is resumed; what it is owed waits. Nothing where it is paused."""
    if not sink.is_paused:
        _change(sink, "pause", actor, {"confirmed_row": sink.confirmed}, is_paused=True)


def sink_resume(*, sink: Sink, actor: str) -> None:
    """Go on where it stopped, at once. Nothing where it is not paused."""
    if sink.is_paused:
        _change(sink, "resume", actor, {"confirmed_row": sink.confirmed}, is_paused=False, **_AT_ONCE)


def sink_delete(*, sink: Sink, actor: str) -> None:
    """Send nothing any more and forget the secret; it is marked, so that the record's rows about it mean something."""
    gone = {"deleted_at": timezone.now(), "deleted_by": storable(actor, ACTOR_LENGTH), "sealed_secret": ""}
    _change(sink, "delete", actor, {"address": sink.address, "confirmed_row": sink.confirmed}, **gone)


def sink_secret_replace(*, sink: Sink, actor: str) -> str:
    """Sign with a new secret from now on; the secret, which is never to be had again."""
    if not sink.is_signed:
        raise UnfitSinkError("Only what a webhook sends is signed.")
    secret = new_secret()
    _change(sink, "secret", actor, {}, sealed_secret=seal(secret, org_id=sink.org_id), **_AT_ONCE)
    return secret


def sink_restart(*, sink: Sink, sequence: int, actor: str) -> None:
    """Send the rows from `sequence` on, again or for the first time, with the checkpoints from there on.

    Raises UnfitSinkError where the chain is not that long.
    """
    alias = router.db_for_write(Sink)
    head = head_of(alias, sink.org_id)
    if not 1 <= sequence <= head.sequence + 1:
        raise UnfitSinkError(f"The record has rows 1 to {head.sequence}.", field="sequence")
    heads = (
        SigningHead.objects.using(alias).filter(org_id=sink.org_id, sequence__lt=sequence).order_by("-sequence", "-id")
    )
    _change(
        sink,
        "restart",
        actor,
        {"from_row": sequence, "confirmed_row": sink.confirmed},
        confirmed=sequence - 1,
        confirmed_checkpoint=heads.aggregate(last=Max("id"))["last"] or 0,
        restarts=F("restarts") + 1,
        offered=0,
        offered_checkpoint=0,
        **_AT_ONCE,
    )


def sink_test(*, sink: Sink, actor: str, limit_s: float, now: datetime | None = None) -> str:
    """Send one message that is no row; why that failed, empty where it was confirmed. Recorded either way."""
    try:
        trial_send(sink, now=now or timezone.now(), limit_s=limit_s)
    except SinkError as error:
        fault = str(error)
    else:
        fault = ""
    result = Result.FAILED if fault else Result.SUCCEEDED
    _record(sink, "test", actor, {"fault": fault} if fault else {}, result=result)
    return fault


def _check(*, kind: str, format: str, address: str) -> None:
    if format not in FORMATS[SinkKind(kind)]:
        label = SinkFormat(format).label
        raise UnfitSinkError(f"A {SinkKind(kind).label.lower()} does not take {label}.", field="format")
    try:
        if kind == SinkKind.WEBHOOK:
            checked_addresses(webhook_destination(address))
        elif kind == SinkKind.SYSLOG:
            checked_addresses(syslog_destination(address))
        elif not NAME.fullmatch(address):
            raise UnfitSinkError(f"That is no name for the file. {NAME_RULE}")
    except SinkError as error:
        raise UnfitSinkError(str(error), field="address") from None


def _check_file(org_id: str, kind: str, address: str, *, besides: int = 0) -> None:
    """Refuse a second sink into one file."""
    others = Sink.objects.using(router.db_for_write(Sink)).live().exclude(pk=besides)
    if kind == SinkKind.FILE and others.filter(org_id=org_id, kind=kind, address=address).exists():
        raise UnfitSinkError("Another sink writes to that file.", field="address")


@contextmanager
def _named_once() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise UnfitSinkError("Another sink has that name.", field="name") from None


def _change(sink: Sink, action: str, actor: str, details: dict[str, Any], **columns: Any) -> None:
    with transaction.atomic(using=router.db_for_write(Sink)):
        _update(sink, **columns)
        _record(sink, action, actor, details)


def _update(sink: Sink, **columns: Any) -> None:
    """Change the sink's row and, after it, `sink`; nothing where somebody has deleted it meanwhile."""
    alias = router.db_for_write(Sink)
    if not Sink.objects.using(alias).live().filter(pk=sink.pk).update(**columns):
        raise UnfitSinkError("Somebody has deleted this sink meanwhile.")
    sink.refresh_from_db(using=alias)


def _record(sink: Sink, action: str, actor: str, details: dict[str, Any], *, result: Result = Result.SUCCEEDED) -> None:
    event_record(
        org_id=sink.org_id,
        action=f"console.sink_{action}",
        actor=actor,
        target_type="sink",
        target_id=str(sink.pk),
        target_label=sink.name,
        details=details,
        result=result,
    )
