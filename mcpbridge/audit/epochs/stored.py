"""Read and write the signed statements with which epochs begin."""

from collections.abc import Iterator

import orjson

from mcpbridge.audit.export.reading import restore_of
from mcpbridge.audit.signing import SigningKeyPair
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.audit.tree.restores import BREAK_FORMAT, EpochStatement
from mcpbridge.audit.verification.records import Restore
from mcpbridge.models import AuditEpoch
from mcpbridge.redaction.masking import redact


def stored_restores(alias: str, org_id: str, *, after: int = 1) -> Iterator[Restore]:
    """Yield the statements of the workspace's epochs behind `after`, by epoch. They are not verified.

    Raises ValueError if the database holds something else.
    """
    found = AuditEpoch.objects.using(alias).filter(org_id=org_id, epoch__gt=after).order_by("epoch")
    for row in found:
        try:
            yield restore_of({**orjson.loads(row.message), "key_id": row.key_id, "signature": row.signature})
        except (KeyError, TypeError) as error:
            raise ValueError(f"The statement of an epoch of {org_id} cannot be read: {error!r}") from None


def epoch_begun_by(restore: Restore) -> int:
    """Return the epoch that begins with a statement. Raises FormatError."""
    return Origin.parse(restore.to).epoch


def last_epoch(alias: str, org_id: str) -> int:
    """Return the last epoch that a stored statement begins; 1 if there is none."""
    found = AuditEpoch.objects.using(alias).filter(org_id=org_id).order_by("-epoch")
    return found.values_list("epoch", flat=True).first() or 1


def stored_breaks(alias: str) -> Iterator[Restore]:
    """Yield the statements of lost keys in all workspaces. They are not verified. Raises ValueError."""
    lost = AuditEpoch.objects.using(alias).filter(message__contains=f'"format":"{BREAK_FORMAT}"')
    for org_id in lost.values_list("org_id", flat=True).order_by("org_id").distinct():
        yield from (restore for restore in stored_restores(alias, org_id) if restore.is_key_lost)


def signed_restore(statement: EpochStatement, key: SigningKeyPair) -> Restore:
    """Sign a statement; nothing is stored."""
    signature = key.sign(statement.message)
    return restore_of({**statement.as_dict(), "key_id": key.key_id, "signature": signature})


def store_restore(alias: str, restore: Restore) -> None:
    """Store a signed statement, within the caller's transaction. Raises ValueError if it cannot be stored as it is."""
    message = (restore.message() or b"").decode()
    if redact(message) != message:
        raise ValueError("The statement contains a token.")
    AuditEpoch.objects.using(alias).create(
        org_id=restore.workspace,
        epoch=epoch_begun_by(restore),
        kept=restore.kept["sequence"],
        given_up=restore.given_up["sequence"],
        message=message,
        key_id=restore.key_id,
        signature=restore.signature,
    )
