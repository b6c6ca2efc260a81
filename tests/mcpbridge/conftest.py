"""Databases and event loops for the tests of the record."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.databases import RecordDatabase, postgres_record, sqlite_record
from tests.postgres import shared_cluster


@pytest.fixture
def sqlite_database(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[RecordDatabase]:
    with django_db_blocker.unblock(), sqlite_record(tmp_path) as database:
        yield database


@pytest.fixture
def postgres_database(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker, needs: Callable[[bool, str], None]
) -> Iterator[RecordDatabase]:
    cluster = shared_cluster(needs)
    with django_db_blocker.unblock(), postgres_record(tmp_path, cluster) as database:
        yield database


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> RecordDatabase:
    """A fresh database of either kind, which the test may lock, fill or cut off."""
    found: RecordDatabase = request.getfixturevalue(f"{request.param}_database")
    return found


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """Runs coroutines one after the other on one loop; between them the test may use the ORM."""
    with asyncio.Runner() as running:
        yield running
