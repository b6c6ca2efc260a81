"""Actions on log destinations. Each change and its audit row are one transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import IntegrityError, router, transaction
from django.db.models import F, Max
from django.utils import timezone

from mcpbridge.audit.console_events import record_event
from mcpbridge.audit.destinations.batches import last_checkpoint
from mcpbridge.audit.destinations.errors import DestinationError, InvalidDestinationError
from mcpbridge.audit.destinations.secret_box import encrypt, new_secret
from mcpbridge.audit.destinations.targets import checked_addresses, syslog_target, webhook_target
from mcpbridge.audit.destinations.transports.factory import send_test
from mcpbridge.audit.destinations.transports.file import NAME, NAME_RULE
from mcpbridge.audit.heads import head_of
from mcpbridge.audit.rows import ACTOR_LENGTH
from mcpbridge.core.sanitize import sanitize_text
from mcpbridge.db.locks import acquire_locks
from mcpbridge.models import Result, SigningHead
from mcpbridge.models.destinations import FORMATS, DestinationFormat, DestinationKind, LogDestination

# Every process polls every destination, so their number is limited.
MOST_DESTINATIONS = 10
_RETRY_NOW: dict[str, Any] = {"next_try_at": None, "attempts": 0}


def create_destination(
    *, org_id: str, name: str, kind: str, format: str, address: str, from_first_row: bool, actor: str
) -> tuple[LogDestination, str]:
    """Create a destination for new audit rows, or for all rows if `from_first_row`; return it and its signing secret.

    The secret is empty unless the destination is a webhook, and cannot be read again. Raises InvalidDestinationError
    and AuditUnavailableError.
    """
    _check(kind=kind, format=format, address=address)
    alias = router.db_for_write(LogDestination)
    secret = new_secret() if kind == DestinationKind.WEBHOOK else ""
    with _unique_name(), transaction.atomic(using=alias):
        # Of two concurrent calls, the second counts the first one's row.
        acquire_locks(alias, f"log destinations {org_id}")
        live = LogDestination.objects.using(alias).live().filter(org_id=org_id)
        if live.count() >= MOST_DESTINATIONS:
            raise InvalidDestinationError(
                f"A workspace has at most {MOST_DESTINATIONS} log destinations. Delete one that is no longer needed."
            )
        _check_file(org_id, kind, address)
        destination = LogDestination.objects.using(alias).create(
            org_id=org_id,
            name=name,
            kind=kind,
            format=format,
            address=address,
            encrypted_secret=encrypt(secret, org_id=org_id) if secret else "",
            created_by=sanitize_text(actor, ACTOR_LENGTH),
            acked=0 if from_first_row else head_of(alias, org_id).sequence,
            acked_checkpoint=0 if from_first_row else last_checkpoint(alias, org_id),
        )
        details = {"kind": kind, "format": format, "address": address, "from_row": destination.acked + 1}
        _record(destination, "create", actor, details)
    return destination, secret


def change_destination(*, destination: LogDestination, name: str, format: str, address: str, actor: str) -> None:
    """Change name, format or address; waiting rows go to the new address. Raises as `create_destination` does."""
    wanted = {"name": name, "format": format, "address": address}
    before = {
        column: getattr(destination, column) for column in wanted if getattr(destination, column) != wanted[column]
    }
    if not before:
        return
    _check(kind=destination.kind, format=format, address=address)
    with _unique_name(), transaction.atomic(using=router.db_for_write(LogDestination)):
        _check_file(destination.org_id, destination.kind, address, besides=destination.pk)
        _update(destination, **wanted, size_limit=0, **_RETRY_NOW)
        changed = {column: wanted[column] for column in before}
        _record(destination, "change", actor, {**changed, "before": before})


def pause_destination(*, destination: LogDestination, actor: str) -> None:
    """Stop sending until it is resumed; rows wait. Do nothing if it is paused."""
    if not destination.is_paused:
        _change(destination, "pause", actor, {"acked_row": destination.acked}, is_paused=True)


def resume_destination(*, destination: LogDestination, actor: str) -> None:
    """Continue at once after the last acknowledged row. Do nothing if it is not paused."""
    if destination.is_paused:
        _change(destination, "resume", actor, {"acked_row": destination.acked}, is_paused=False, **_RETRY_NOW)


def delete_destination(*, destination: LogDestination, actor: str) -> None:
    """Mark it deleted, so that audit rows still name it, and erase its secret."""
    gone = {"deleted_at": timezone.now(), "deleted_by": sanitize_text(actor, ACTOR_LENGTH), "encrypted_secret": ""}
    _change(destination, "delete", actor, {"address": destination.address, "acked_row": destination.acked}, **gone)


def rotate_destination_secret(*, destination: LogDestination, actor: str) -> str:
    """Sign with a new secret from now on; return it. It cannot be read again."""
    if not destination.is_signed:
        raise InvalidDestinationError("Only webhooks have a signing secret.")
    secret = new_secret()
    _change(destination, "secret", actor, {}, encrypted_secret=encrypt(secret, org_id=destination.org_id), **_RETRY_NOW)
    return secret


def restart_destination(*, destination: LogDestination, sequence: int, actor: str) -> None:
    """Send all rows from `sequence` on, and their checkpoints, even if they were sent before.

    Raises InvalidDestinationError if the chain has no such row.
    """
    alias = router.db_for_write(LogDestination)
    head = head_of(alias, destination.org_id)
    if not 1 <= sequence <= head.sequence + 1:
        raise InvalidDestinationError(f"The audit log has rows 1 to {head.sequence}.", field="sequence")
    heads = (
        SigningHead.objects.using(alias)
        .filter(org_id=destination.org_id, sequence__lt=sequence)
        .order_by("-sequence", "-id")
    )
    _change(
        destination,
        "restart",
        actor,
        {"from_row": sequence, "acked_row": destination.acked},
        acked=sequence - 1,
        acked_checkpoint=heads.aggregate(last=Max("id"))["last"] or 0,
        restarts=F("restarts") + 1,
        leased=0,
        leased_checkpoint=0,
        **_RETRY_NOW,
    )


def send_test_message(*, destination: LogDestination, actor: str, limit_s: float, now: datetime | None = None) -> str:
    """Send a test message and record the result; return the error text, empty on success."""
    try:
        send_test(destination, now=now or timezone.now(), limit_s=limit_s)
    except DestinationError as error:
        fault = str(error)
    else:
        fault = ""
    result = Result.FAILED if fault else Result.SUCCEEDED
    _record(destination, "test", actor, {"fault": fault} if fault else {}, result=result)
    return fault


def _check(*, kind: str, format: str, address: str) -> None:
    if format not in FORMATS[DestinationKind(kind)]:
        label = DestinationFormat(format).label
        raise InvalidDestinationError(
            f"A {DestinationKind(kind).label.lower()} does not support {label}.", field="format"
        )
    try:
        if kind == DestinationKind.WEBHOOK:
            checked_addresses(webhook_target(address))
        elif kind == DestinationKind.SYSLOG:
            checked_addresses(syslog_target(address))
        elif not NAME.fullmatch(address):
            raise InvalidDestinationError(f"The file name is invalid. {NAME_RULE}")
    except DestinationError as error:
        raise InvalidDestinationError(str(error), field="address") from None


def _check_file(org_id: str, kind: str, address: str, *, besides: int = 0) -> None:
    """Raise InvalidDestinationError if another destination writes to the same file."""
    others = LogDestination.objects.using(router.db_for_write(LogDestination)).live().exclude(pk=besides)
    if kind == DestinationKind.FILE and others.filter(org_id=org_id, kind=kind, address=address).exists():
        raise InvalidDestinationError("Another log destination writes to this file.", field="address")


@contextmanager
def _unique_name() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise InvalidDestinationError("Another log destination has this name.", field="name") from None


def _change(destination: LogDestination, action: str, actor: str, details: dict[str, Any], **columns: Any) -> None:
    with transaction.atomic(using=router.db_for_write(LogDestination)):
        _update(destination, **columns)
        _record(destination, action, actor, details)


def _update(destination: LogDestination, **columns: Any) -> None:
    """Update the row and refresh `destination`. Raises InvalidDestinationError if it was deleted meanwhile."""
    alias = router.db_for_write(LogDestination)
    if not LogDestination.objects.using(alias).live().filter(pk=destination.pk).update(**columns):
        raise InvalidDestinationError("This log destination has been deleted meanwhile.")
    destination.refresh_from_db(using=alias)


def _record(
    destination: LogDestination, action: str, actor: str, details: dict[str, Any], *, result: Result = Result.SUCCEEDED
) -> None:
    record_event(
        org_id=destination.org_id,
        action=f"console.destination_{action}",
        actor=actor,
        target_type="log_destination",
        target_id=str(destination.pk),
        target_label=destination.name,
        details=details,
        result=result,
    )
