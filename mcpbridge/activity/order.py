"""Find the id up to which the activity log is complete, for readers that continue from an id.

On PostgreSQL ids are assigned before their transactions commit, so a row may become visible after one with a higher
id. Each writer therefore holds, until its transaction ends, a shared advisory lock whose key is the last id at its
start; its own ids are all higher. All ids up to the lowest of these keys are complete. SQLite has one writer at a
time, and assigns ids in commit order.
"""

from django.db import connections

from mcpbridge.models import ToolCall

# Advisory locks with two 32-bit keys are separate from those with one 64-bit key, which all other locks here use.
_CLASS = 0x0AC71
# Range of a key. Concurrent writers are never so far apart that ids could be confused.
_PARTS = 2**31
_CALLS = ToolCall._meta.db_table
_BEGIN = (
    "SELECT pg_advisory_xact_lock_shared(%s,"
    f" (COALESCE(pg_sequence_last_value('{_CALLS}_id_seq'::regclass), 0) %% {_PARTS})::int)"
)
_WRITING = (
    "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = %s::oid AND objsubid = 2 AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def mark_insert_begin(alias: str) -> None:
    """Announce that this transaction will insert calls; call it before their ids are assigned."""
    connection = connections[alias]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(_BEGIN, [_CLASS])


def whole_until(alias: str) -> int:
    """Return the id up to which no further call can become visible; 0 if there are none.

    Call it outside of a transaction, and before reading the calls.
    """
    # Read the last id first, then the active writers: a writer that starts in between has higher ids.
    last = ToolCall.objects.using(alias).order_by("-pk").values_list("pk", flat=True).first() or 0
    connection = connections[alias]
    if connection.vendor != "postgresql":
        return last
    with connection.cursor() as cursor:
        cursor.execute(_WRITING, [_CLASS])
        return min([last, *(_nearest(last, part) for (part,) in cursor.fetchall())])


def _nearest(last: int, part: int) -> int:
    """Return the id with the lower bits `part` that is nearest to `last`."""
    ahead = (part - last) % _PARTS
    return last + ahead - (_PARTS if ahead >= _PARTS // 2 else 0)
