"""Databases and event loops for the tests of the record; clients of a served console."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.databases import RecordDatabase, postgres_record, sqlite_record
from tests.mcpbridge.mcp_client import ERAS, Wire
from tests.postgres import shared_cluster
from tests.servers import Served


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


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def owner_token(console: Served) -> str:
    return console.mint_for("OWNER", "owner of a test")


@pytest.fixture(params=ERAS)
def wire(request: pytest.FixtureRequest, console: Served, owner_token: str, http: httpx.Client) -> Iterator[Wire]:
    """The owner in either era; whatever the test does, the next good call is answered by the same process."""
    workers = console.worker_pids()
    wire = Wire(console.mcp_url, owner_token, http, request.param)
    yield wire
    assert wire.data("get_me")["role"] == "OWNER"
    assert console.worker_pids() == workers


@pytest.fixture(scope="module")
def quiet_log(console: Served) -> Iterator[None]:
    """Nothing that the module does may surprise the server."""
    before = len(console.output())
    yield
    assert "Traceback" not in console.output()[before:]
