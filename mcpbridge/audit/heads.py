"""SQL for the head of each workspace's audit chain."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connections

from mcpbridge.audit.hashchain import Head, genesis
from mcpbridge.audit.tree.origins import Origin
from mcpbridge.db.locks import acquire_locks
from mcpbridge.models import AuditCut, AuditEvent, ObservedToken, SigningHead


class ChainStatus(NamedTuple):
    """The last row of a chain, and the row and time of its last checkpoint; 0 and None if there is none."""

    org_id: str
    sequence: int
    signed: int
    signed_at: datetime | None


class ChainEnd(NamedTuple):
    """The last row of a chain and the epoch it was written in; 0 if that row is of format 1 or there is none."""

    sequence: int
    hash: str
    epoch: int

    @property
    def head(self) -> Head:
        """Return the row without its epoch."""
        return Head(self.sequence, self.hash)

    @property
    def next_epoch(self) -> int:
        """Return the epoch of the next row: 1 if it is the first one, 0 if it is of format 1."""
        return self.epoch or int(self.sequence == 0)


_LAST = "SELECT sequence, hash{more} FROM {table} WHERE org_id = %s ORDER BY sequence DESC LIMIT 1"
# Find the workspaces by skipping through an index, independent of the number of rows.
_CHAIN_STATUSES = """
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


def head_of(alias: str, org_id: str) -> ChainEnd:
    """Return the head of the workspace's chain: its last row, else its last cut, else its genesis."""
    # Raw SQL, because it runs for each commit and the ORM takes as long to build it as SQLite to answer.
    quote = connections[alias].ops.quote_name
    with connections[alias].cursor() as cursor:
        cursor.execute(_LAST.format(more=", epoch", table=quote(AuditEvent._meta.db_table)), [org_id])
        if last := cursor.fetchone():
            return ChainEnd(*last)
        cursor.execute(_LAST.format(more="", table=quote(AuditCut._meta.db_table)), [org_id])
        if last := cursor.fetchone():
            return ChainEnd(last[0], last[1], _signed_epoch(alias, org_id))
    beginning = genesis(org_id)
    return ChainEnd(beginning.sequence, beginning.hash, 0)


def _signed_epoch(alias: str, org_id: str) -> int:
    """Return the epoch of the newest checkpoint, for a log of which all rows were pruned."""
    heads = SigningHead.objects.using(alias).filter(org_id=org_id).order_by("-sequence", "-id")
    newest = heads.values_list("origin", flat=True).first()
    return Origin.parse(newest).epoch if newest else 0


def lock_heads(alias: str, org_ids: Iterable[str]) -> dict[str, ChainEnd]:
    """Lock several chains until the transaction ends, and return their heads."""
    wanted = sorted(org_ids)
    acquire_locks(alias, *(chain_lock(org_id) for org_id in wanted))
    return {org_id: head_of(alias, org_id) for org_id in wanted}


def chain_lock(org_id: str) -> str:
    """Return the name of the lock for appending to the workspace's chain."""
    return f"audit chain {org_id}"


def chain_statuses(alias: str) -> list[ChainStatus]:
    """Return the status of each known workspace's chain, in one query with a few index entries each."""
    tables = {"events": AuditEvent, "heads": SigningHead, "tokens": ObservedToken}
    quote = connections[alias].ops.quote_name
    question = _CHAIN_STATUSES.format(**{name: quote(model._meta.db_table) for name, model in tables.items()})
    with connections[alias].cursor() as cursor:
        cursor.execute(question)
        found = cursor.fetchall()
    return sorted(ChainStatus(org_id, last or 0, signed or 0, _utc(at)) for org_id, last, signed, at in found)


def _utc(at: datetime | None) -> datetime | None:
    """Return the instant with its zone; SQLite's have none and are UTC."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
