"""Where each workspace's chain stands in the database."""

from collections.abc import Iterable

from django.db import connections

from mcpbridge.chain import Head, genesis
from mcpbridge.models import AuditCut, AuditEvent


def head_of(alias: str, org_id: str) -> Head:
    """The last row of the workspace's chain, or the cut that retention left, or what stands before the first row."""
    for model in (AuditEvent, AuditCut):
        found = model.objects.using(alias).filter(org_id=org_id).order_by("-sequence")
        last = found.values_list("sequence", "hash").first()
        if last is not None:
            return Head(*last)
    return genesis(org_id)


def heads_for_writing(alias: str, org_ids: Iterable[str]) -> dict[str, Head]:
    """The heads of several chains, which nobody else can lengthen until this transaction ends.

    SQLite's write lock sees to that by itself. On PostgreSQL each chain has a lock of its own, taken in one order
    everywhere, so that writers on any number of machines queue and never wait for each other in a ring.
    """
    wanted = sorted(org_ids)
    connection = connections[alias]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for org_id in wanted:
                cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"audit chain {org_id}"])
    return {org_id: head_of(alias, org_id) for org_id in wanted}
