"""A database of an earlier release upgrades by `migrate`, and its audit tables keep their rows and triggers."""

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from mcpbridge.models import SigningKey
from tests.databases import RecordDatabase

RELEASED = [("mcpbridge", "0003_activity_partitions")]
NEW_KEY = (
    "INSERT INTO mcpbridge_signingkey (key_id, public_key, since, announced_by, signature)"
    " VALUES ('0011223344556677', '', '2026-01-01 00:00:00+00:00', '', '')"
)


def triggers() -> set[str]:
    catalogue = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    if connection.vendor == "postgresql":
        catalogue = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    with connection.cursor() as cursor:
        cursor.execute(catalogue)
        return {name for (name,) in cursor.fetchall()}


def test_a_released_database_upgrades_and_stays_append_only(database: RecordDatabase) -> None:
    before = triggers()
    latest = MigrationExecutor(connection).loader.graph.leaf_nodes("mcpbridge")
    MigrationExecutor(connection).migrate(RELEASED)
    assert any("signingkey" in name for name in triggers())
    with connection.cursor() as cursor:
        cursor.execute(NEW_KEY)
    MigrationExecutor(connection).migrate(latest)
    assert triggers() == before
    assert SigningKey.objects.get().countersignature == ""
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        SigningKey.objects.update(countersignature="x")
