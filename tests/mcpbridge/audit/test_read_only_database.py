"""A database that became read-only, as a standby or after a failover, is told from a fault of ours."""

import psycopg
import pytest
from django.db import DatabaseError, InternalError, OperationalError, connections
from django.test import RequestFactory

from hoursmith_console.middleware.unavailable import unavailable_page
from mcpbridge.models import ObservedToken
from tests.databases import RecordDatabase


def test_postgresql_that_takes_no_writes_is_no_fault_of_ours(postgres_database: RecordDatabase) -> None:
    request = RequestFactory().post("/")
    with connections["default"].cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    with pytest.raises(InternalError) as refused:
        ObservedToken.objects.update(org_id="x")
    assert isinstance(refused.value.__cause__, psycopg.errors.ReadOnlySqlTransaction)
    answer = unavailable_page(request, refused.value)
    assert answer is not None
    assert answer.status_code == 503
    assert unavailable_page(request, OperationalError("database is locked")) is not None
    # What is a fault of ours stays one.
    for error in (DatabaseError("x"), ValueError("x"), None):
        assert unavailable_page(request, error) is None
