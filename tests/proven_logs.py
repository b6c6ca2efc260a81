"""Logs of format 2 with a tree in memory, for tests of evidence: the rows are stored, the tree is made of them."""

from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from hoursmith_console.audit.evidence.log import ProvenLog
from mcpbridge.audit.hashchain import instant, link
from mcpbridge.audit.heads import head_of
from mcpbridge.audit.keyring import register_first_key
from mcpbridge.audit.log_tree.tiles import extend_stored, stored_leaves
from mcpbridge.audit.signing import configured_key
from mcpbridge.audit.tree.merkle import CompactRange, leaf_hash, root_of
from mcpbridge.audit.tree.proofs import nodes_of
from mcpbridge.audit.tree.statements import CheckpointStatement
from mcpbridge.audit.verification.announcements import fingerprint_of
from mcpbridge.models import AuditEvent, SigningHead
from tests.hoursmith_console.records import audit_pair


def fingerprint() -> str:
    """Return the fingerprint of the signing key."""
    return fingerprint_of(configured_key().public_key)


def save_sealed(rows: list[AuditEvent], *, epoch: int = 1) -> list[AuditEvent]:
    """Save rows of format 2 (of format 1 with epoch 0) as links of their workspace's chain."""
    head = head_of("default", rows[0].org_id).head
    for row in rows:
        columns = {field.attname: getattr(row, field.attname) for field in AuditEvent._meta.concrete_fields}
        head = link(columns, head, epoch=epoch)
        for name in ("sequence", "previous_hash", "hash", "epoch", "seal"):
            setattr(row, name, columns[name])
    return AuditEvent.objects.bulk_create(rows)


def sealed_calls(token: Any, count: int, *, epoch: int = 1, **facts: Any) -> list[AuditEvent]:
    """Save the rows of `count` destructive calls, and return them."""
    return save_sealed([row for _ in range(count) for row in audit_pair(token, **facts)], epoch=epoch)


def proven_log(org_id: str, *, until: int | None = None, at: datetime | None = None, oldest: str = "") -> ProvenLog:
    """Sign the stored rows up to `until`, all by default, and return the log."""
    register_first_key("default")
    rows = AuditEvent.objects.filter(org_id=org_id).order_by("sequence")
    hashes = list(rows.values_list("hash", flat=True)[:until])
    leaves = [leaf_hash(bytes.fromhex(hash)) for hash in hashes]
    statement = CheckpointStatement(
        origin=f"audit.example.com/{org_id}/1",
        sequence=len(hashes),
        hash=hashes[-1],
        root=root_of(leaves).hex(),
        at=instant(at or timezone.now()),
    )
    key = configured_key()
    return ProvenLog(
        statement=statement,
        note=statement.head.signed(key),
        key_id=key.key_id,
        signature=key.sign(statement.message),
        fingerprint=fingerprint(),
        nodes=nodes_of(leaves),
        sign=lambda message: (key.key_id, key.sign(message)),
        oldest=oldest,
        old=rows.filter(epoch=0).count(),
    )


def store_tree(org_id: str) -> SigningHead:
    """Store the tiles of the stored rows, and sign them."""
    log, alias = proven_log(org_id), "default"
    tree = CompactRange()
    tree.extend(stored_leaves(alias, org_id, 1, log.last + 1))
    with transaction.atomic():
        assert extend_stored(alias, org_id, first=1, to=tree)
    statement = log.statement
    return SigningHead.objects.create(
        org_id=org_id,
        sequence=log.last,
        hash=statement.hash,
        at=datetime.fromisoformat(statement.at),
        key_id=log.key_id,
        signature=log.signature,
        reason="rows",
        origin=statement.origin,
        root=statement.root,
        signed_note=log.note,
    )


def rewrite(row: Model, **values: Any) -> None:
    """Change a stored row of SQLite as someone with the database's password could; triggers return after the test."""
    _drop_triggers(type(row))
    type(row)._default_manager.filter(pk=row.pk).update(**values)


def lose_rows(org_id: str, *, after: int) -> None:
    """Remove the end of a log with its checkpoints, as a restored backup does."""
    for model in (AuditEvent, SigningHead):
        _drop_triggers(model)
        model._default_manager.filter(org_id=org_id, sequence__gt=after).delete()


def _drop_triggers(model: type[Model]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [model._meta.db_table]
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP TRIGGER "{name}"')
