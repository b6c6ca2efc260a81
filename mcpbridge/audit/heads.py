"""Where each workspace's chain stands in the database."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connections

from mcpbridge.audit.hashchain import Head, genesis
from mcpbridge.db.locks import acquire_locks
from mcpbridge.models import AuditCut, AuditEvent, ObservedToken, SigningHead


class ChainStatus(NamedTuple):
    """A chain's last row, and the last checkpoint of it: its row, 0 where there was none, and its instant."""

    org_id: str
    sequence: int
    signed: int
    signed_at: datetime | None


_LAST = "SELECT sequence, hash FROM {table} WHERE org_id = %s ORDER BY sequence DESC LIMIT 1"
# The workspaces are found by hopping from one to the next in an index, whatever the number of their rows.
_STANDINGS = """
WITH RECURSIVE hop(org_id) AS (
    SELECT MIN(org_id) FROM {events}
    UNION ALL
    SELECT (SELECT MIN(e.org_id) FROM {events} e WHERE e.org_id > hop.org_id) FROM hop WHERE hop.org_id IS NOT NULL
), known(org_id) AS (
    SELECT org_id FROM hop WHERE org_id IS NOT NULL UNION SELECT org_id FROM {tokens} WHERE org_id <> ''
)
SELECT known.org_id, (SELECT MAX(e.sequence) FROM {events} e WHERE e.org_id = known.org_id), h.sequence, h.at
FROM known LEFT JOIN {heads} h ON h.id = (
    SELECT last.id FROM {heads} last WHERE last.org_id = known.org_id ORDER BY last.sequence DESC, last.id DESC LIMIT 1
)
"""


def head_of(alias: str, org_id: str) -> Head:
    """The last row of the workspace's chain, or the cut that retention left, or what stands before the first row."""
    # By hand, because it is asked for each commit and the ORM needs as long for the question as SQLite for the answer.
    with connections[alias].cursor() as cursor:
        for model in (AuditEvent, AuditCut):
            cursor.execute(_LAST.format(table=connections[alias].ops.quote_name(model._meta.db_table)), [org_id])
            if last := cursor.fetchone():
                return Head(*last)
    return genesis(org_id)


def heads_for_writing(alias: str, org_ids: Iterable[str]) -> dict[str, Head]:
    """The heads of several chains, which nobody else can lengthen until this transaction ends."""
    wanted = sorted(org_ids)
    acquire_locks(alias, *(chain_lock(org_id) for org_id in wanted))
    return {org_id: head_of(alias, org_id) for org_id in wanted}


def chain_lock(org_id: str) -> str:
    """The name that whoever lengthens the workspace's chain holds."""
    return f"audit chain {org_id}"


def chain_statuses(alias: str) -> list[ChainStatus]:
    """Each known workspace's chain and its last checkpoint, in one look of a few index entries each."""
    tables = {"events": AuditEvent, "heads": SigningHead, "tokens": ObservedToken}
    quote = connections[alias].ops.quote_name
    question = _STANDINGS.format(**{name: quote(model._meta.db_table) for name, model in tables.items()})
    with connections[alias].cursor() as cursor:
        cursor.execute(question)
        found = cursor.fetchall()
    return sorted(ChainStatus(org_id, last or 0, signed or 0, _utc(at)) for org_id, last, signed, at in found)


def _utc(at: datetime | None) -> datetime | None:
    """An instant as the driver gave it; SQLite's know no zone and mean UTC."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
