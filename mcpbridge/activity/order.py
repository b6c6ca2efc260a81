"""Up to which number the activity is whole, for whoever goes on from a number.

Numbers are given out before their transactions commit, so on PostgreSQL a row may come to be seen behind one with a
higher number. Each writer therefore holds, until its transaction ends, a shared advisory lock that says which number
was the last when it began; its own are all higher. What is at or below the lowest of them is whole. SQLite has one
writer at a time, and gives numbers out in the order of commits.
"""

from django.db import connections

from mcpbridge.models import ToolCall

# Advisory locks with two parts of 32 bits each are apart from those with one of 64, which all other locks here are.
_CLASS = 0x0AC71
# What fits into a part. Writers are never so far apart that a number could be taken for another one.
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
    """Say that this transaction is going to insert calls; before their numbers are given out."""
    connection = connections[alias]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(_BEGIN, [_CLASS])


def whole_until(alias: str) -> int:
    """The number of a call up to which no further call can come to be seen; 0 where there is none.

    Must be asked outside of a transaction, and before the calls themselves are.
    """
    # First what is there, then who still writes: whoever begins in between has numbers beyond it.
    last = ToolCall.objects.using(alias).order_by("-pk").values_list("pk", flat=True).first() or 0
    connection = connections[alias]
    if connection.vendor != "postgresql":
        return last
    with connection.cursor() as cursor:
        cursor.execute(_WRITING, [_CLASS])
        return min([last, *(_nearest(last, part) for (part,) in cursor.fetchall())])


def _nearest(last: int, part: int) -> int:
    """The number with the lower bits `part` that is nearest to `last`."""
    ahead = (part - last) % _PARTS
    return last + ahead - (_PARTS if ahead >= _PARTS // 2 else 0)
