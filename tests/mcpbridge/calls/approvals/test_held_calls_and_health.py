"""However many calls are held, and however the database hangs for them: readiness and monitoring are answered."""

import asyncio
from typing import Any

import httpx
import psycopg
import pytest

from hoursmith_console.ops.health import Health
from hoursmith_console.ops.metrics import Metrics
from mcpbridge.app import Bridge
from mcpbridge.calls.approvals.policy import change_approval_rule
from mcpbridge.workers import attempts
from tests.databases import RecordDatabase
from tests.mcpbridge.fixtures import CLIENT_ID, ME, Talk, bridge_to, hoursmith
from tests.waiting import eventually_async

HELD = 50


def _client(application: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=application, client=("127.0.0.1", 1)), base_url="http://localhost"
    )


@pytest.fixture(autouse=True)
def _own_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    # Readiness tells of the jobs of this test alone, and not of one that another test's bridge left.
    monkeypatch.setattr(attempts, "_running", {})


@pytest.fixture(autouse=True)
def _long(settings: Any) -> None:
    # The looks of the held calls hang for as long as the test takes, on a slow machine too.
    settings.AUDIT_WRITE_TIMEOUT_MS = 60_000


def test_readiness_and_metrics_are_answered_while_fifty_calls_are_held(
    postgres_database: RecordDatabase, runner: asyncio.Runner
) -> None:
    looked_at: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and "/clients/" in request.url.path:
            looked_at.append(request.url.path)
        return hoursmith(request)

    rule = {"tokens": [], "hourly_limit": None, "answered_in": "console", "holds_s": 55, "lasts_s": 900}
    change_approval_rule(org_id=str(ME["orgId"]), tools=["delete_client"], actor="Ana", **rule)

    def waiting() -> int:
        question = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        with psycopg.connect(postgres_database.url) as connection:
            row = connection.execute(question).fetchone()
            return int(row[0]) if row else 0

    async def look(bridge: Bridge, calls: list[asyncio.Task[Any]]) -> None:
        talk, health, metrics = Talk(bridge), Health(bridge.upstream, bridge.restrictions), Metrics()
        calls += [asyncio.create_task(talk.call("delete_client", {"id": CLIENT_ID})) for _ in range(HELD)]
        await eventually_async(lambda: len(looked_at) == HELD and bool(bridge.restrictions.now().undecided), 45)
        with psycopg.connect(postgres_database.url) as locking:
            locking.execute("LOCK TABLE mcpbridge_approvalrequest IN ACCESS EXCLUSIVE MODE")
            await eventually_async(lambda: waiting() >= 4, 45)
            # Whoever shares threads with them waits by now as well: there are far more of them than threads.
            assert not any(call.done() for call in calls)
            async with _client(health) as asking:
                ready = await asking.get("/readyz")
            async with _client(metrics) as asking:
                seen = await asking.get("/metrics")
            assert not any(call.done() for call in calls)
            locking.rollback()
        assert (ready.status_code, ready.json()) == (200, {"status": "ok"})
        assert (seen.status_code, "hoursmith_database_up 1.0" in seen.text) == (200, True)

    async def story() -> None:
        bridge = bridge_to(handler)
        await bridge.start()
        calls: list[asyncio.Task[Any]] = []
        try:
            await look(bridge, calls)
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            await bridge.stop()

    runner.run(story())
