"""Behind a connection pooler: it works, or the start is refused with what to set."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from hoursmith_console import env
from hoursmith_console.backends.postgresql.pooling import NEEDS_DIRECT, NOT_DIRECT, find_pooling_fault
from mcpbridge.auth.restrictions.blocks import block_token
from mcpbridge.auth.restrictions.polling import restriction_store
from mcpbridge.models import AuditEvent, TokenRef
from tests.databases import RecordDatabase, as_default
from tests.mcpbridge.audit.destinations.conftest import World
from tests.paths import ROOT
from tests.poolers import pgbouncer

Needs = Callable[[bool, str], None]


@pytest.fixture
def pooled(postgres_database: RecordDatabase, needs: Needs) -> Iterator[str]:
    with pgbouncer(postgres_database.url, needs, mode="transaction") as url:
        yield url


def fault(url: str, direct_url: str = "") -> str:
    return find_pooling_fault(env.databases(url)["default"], direct_url)


def test_a_pooler_in_transaction_mode_is_told_from_a_server(postgres_database: RecordDatabase, pooled: str) -> None:
    direct = postgres_database.url
    assert fault(direct) == ""
    assert fault(pooled) == NEEDS_DIRECT
    assert fault(pooled, direct) == ""
    assert fault(pooled, pooled) == NOT_DIRECT
    assert fault("postgres://console@127.0.0.1:9/console") == ""


def test_a_pooler_in_session_mode_needs_nothing_more(postgres_database: RecordDatabase, needs: Needs) -> None:
    with pgbouncer(postgres_database.url, needs, mode="session") as url:
        assert fault(url) == ""


def test_the_server_does_not_start_without_the_direct_address(pooled: str, tmp_path: Any) -> None:
    secrets = {"SECRET_KEY": "x" * 50, "AUDIT_SIGNING_KEY": "y" * 50, "DATABASE_URL": pooled}
    settings = {**secrets, "VAR_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "hoursmith_console.settings"}
    command = [sys.executable, "-m", "gunicorn", "--config", "python:hoursmith_console.server.gunicorn_conf"]
    started = subprocess.run(
        [*command, "hoursmith_console.asgi:application"],
        env={
            **os.environ,
            **settings,
            "VAR_DIR": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "hoursmith_console.settings",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert started.returncode == 1
    assert f"Not started: {NEEDS_DIRECT}" in started.stderr
    assert "Traceback" not in started.stderr


def test_rows_are_read_in_parts(postgres_database: RecordDatabase, pooled: str) -> None:
    with as_default(pooled, direct_url=postgres_database.url):
        World().write(400)
        rows = AuditEvent.objects.order_by("sequence").values_list("sequence", flat=True).iterator(chunk_size=100)
        first = next(rows)
        with psycopg.connect(pooled) as other:
            # It has the server's connection that was used last, until its transaction ends.
            other.execute("SELECT 1")
            assert [first, *rows][:400] == list(range(1, 401))


def test_restrictions_come_straight_from_the_server(
    postgres_database: RecordDatabase, settings: Any, tmp_path: Any
) -> None:
    block_token(env="live", prefix="0a2c1bdedf00", org_id="org-1", actor="Ana", reason="leaked")
    settings.DATABASE_DIRECT_URL = postgres_database.url
    settings.VAR_DIR = tmp_path
    # The pooler is down.
    with as_default("postgres://console@127.0.0.1:9/console", direct_url=postgres_database.url):
        asyncio.run(_see_the_block())


async def _see_the_block() -> None:
    book = restriction_store()
    await book.start()
    try:
        assert book.now().is_blocked(TokenRef("live", "0a2c1bdedf00"))
    finally:
        await book.stop()
