"""The indexes of lists leave out outcomes; SQLite uses them only where a query repeats that."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_audit, make_client

Browse = Callable[[str], Client]


def _plans(client: Client, address: str) -> list[str]:
    """Return how the database answers each query of a page about audit entries."""
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    plans = []
    with connection.cursor() as cursor:
        for query in captured.captured_queries:
            if "mcpbridge_auditevent" in query["sql"] and query["sql"].startswith("SELECT"):
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql'].replace('%', '%%')}", [])
                plans.append("\n".join(row[-1] for row in cursor.fetchall()))
    return plans


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ("what=destroyed", "audit_listed_phase"),
        ("tool=delete_client", "audit_org_tool"),
        ("token=live_{prefix}", "audit_listed_prefix"),
        ("assistant=Claude+Desktop", "audit_listed_client"),
        ("target=client:{target}", "audit_listed_target"),
    ],
)
def test_each_filter_has_its_index(cast: Cast, browse: Browse, filters: str, index: str) -> None:
    row = make_audit(cast.tokens["manager"])
    make_client(cast.tokens["manager"], "Claude Desktop")
    plans = _plans(browse("owner"), f"/audit/?{filters.format(prefix=row.prefix, target=row.target_id)}")
    assert any(index in plan for plan in plans)
    assert not any("SCAN mcpbridge_auditevent" in plan for plan in plans)
