"""Logs as a release before format 2 left them, in a database of that release."""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from mcpbridge.audit.hashchain import Head, genesis, instant, link
from mcpbridge.audit.signing import configured_key, head_message, key_message
from mcpbridge.db.bulk import insert
from mcpbridge.models import AuditEvent, SigningHead, SigningKey
from tests.audit_chains import START, columns

RELEASED = [("mcpbridge", "0003_activity_partitions")]


def released() -> None:
    """Take the database back to the release before, empty as it is."""
    MigrationExecutor(connection).migrate(RELEASED)


def migrate() -> None:
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes("mcpbridge"))


def first_key() -> None:
    key = configured_key()
    message = key_message(key_id=key.key_id, public_key=key.public_key, since=START, announced_by="")
    _insert(
        SigningKey,
        [
            {
                "key_id": key.key_id,
                "public_key": key.public_key,
                "since": START,
                "announced_by": "",
                "signature": key.sign(message),
            }
        ],
    )


def old_rows(count: int, org_id: str = "org-1", *, signed: Sequence[int] = ()) -> Head:
    """Insert `count` rows of format 1, and checkpoints at some of them."""
    head, rows = genesis(org_id), []
    for number in range(1, count + 1):
        rows.append(columns(number, org_id))
        head = link(rows[-1], head)
        if number in signed:
            _checkpoint(org_id, head)
        if len(rows) == 5_000 or number == count:
            _insert(AuditEvent, [{n: v for n, v in row.items() if n not in ("epoch", "seal")} for row in rows])
            rows.clear()
    return head


def _checkpoint(org_id: str, head: Head) -> None:
    key = configured_key()
    message = head_message(org_id=org_id, sequence=head.sequence, hash=head.hash, at=START)
    signed = {"key_id": key.key_id, "signature": key.sign(message), "reason": "rows"}
    _insert(SigningHead, [{"org_id": org_id, "sequence": head.sequence, "hash": head.hash, "at": START, **signed}])


def _insert(model: Any, rows: list[dict[str, Any]]) -> None:
    insert("default", model, rows)


def statement_time() -> str:
    """When the old checkpoints were signed."""
    return instant(START)
