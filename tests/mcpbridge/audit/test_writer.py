"""The record of destructive calls on a sound database: what is committed when, and how it reads."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator

import psycopg
import pytest

from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.audit.writer import AuditWriter
from mcpbridge.core.types import CallResult
from mcpbridge.models import AuditEvent, AuditPhase, Result
from tests.call_records import REFUSED, SUCCEEDED, a_call
from tests.databases import RecordDatabase
from tests.token_shapes import assembled_token

LIMIT_S = 1.0


@pytest.fixture
def writer(database: RecordDatabase, runner: asyncio.Runner) -> Iterator[AuditWriter]:
    running = AuditWriter(timeout_s=LIMIT_S, lock_path=database.lock_path)
    running.start()
    yield running
    runner.run(running.stop())


def committed(database: RecordDatabase) -> list[tuple[str, str]]:
    """Return phase and result of each row, read by another connection."""
    question = "SELECT phase, result FROM mcpbridge_auditevent ORDER BY recorded_at, phase"
    if database.path is None:
        with psycopg.connect(database.url) as other:
            return other.execute(question).fetchall()
    other = sqlite3.connect(database.path)
    try:
        return other.execute(question).fetchall()
    finally:
        other.close()


def test_an_intent_is_committed_when_it_returns(
    database: RecordDatabase, writer: AuditWriter, runner: asyncio.Runner
) -> None:
    runner.run(writer.intent(a_call(), snapshot=None))
    assert committed(database) == [("intent", "")]


def test_an_outcome_is_committed_when_it_says_so(
    database: RecordDatabase, writer: AuditWriter, runner: asyncio.Runner
) -> None:
    call = a_call()
    runner.run(writer.intent(call, snapshot=None))
    assert runner.run(writer.outcome(call, SUCCEEDED)) is True
    assert committed(database) == [("intent", ""), ("outcome", "succeeded")]


def test_a_row_carries_all_that_is_known(writer: AuditWriter, runner: asyncio.Runner) -> None:
    call = a_call(target_id="c1", target_label="Globex", arguments={"id": "c1"}, caller={"connection": "ana-laptop"})
    snapshot = {"name": "Globex", "notes": None, "rates": [1, 2.5]}
    runner.run(writer.intent(call, snapshot=snapshot))
    runner.run(writer.outcome(call, REFUSED))
    intent, outcome = AuditEvent.objects.get(phase=AuditPhase.INTENT), AuditEvent.objects.get(phase=AuditPhase.OUTCOME)
    for row in (intent, outcome):
        assert (row.call_id, row.at, row.org_id, row.org_name) == (call.call_id, call.at, "org-1", "Studio Nord")
        assert (row.tool, row.kind, row.target_id, row.target_label) == ("delete_client", "destructive", "c1", "Globex")
        assert (row.env, row.prefix, row.token_name, row.role) == ("live", "4f8a2c1bdedf", "Ana's laptop", "OWNER")
        assert (row.client_name, row.connection, row.arguments) == ("Claude Desktop", "ana-laptop", {"id": "c1"})
        assert len(row.hash) == len(row.previous_hash) == 64
        assert row.recorded_at >= call.at
    assert (intent.snapshot, intent.result, intent.status, intent.duration_ms) == (snapshot, "", None, None)
    assert (outcome.snapshot, outcome.result, outcome.status, outcome.code) == (None, "refused", 409, "conflict")
    assert outcome.duration_ms == 8.0


def test_a_missing_snapshot_says_why(writer: AuditWriter, runner: asyncio.Runner) -> None:
    runner.run(writer.intent(a_call(), snapshot=None, snapshot_fault="not_found"))
    row = AuditEvent.objects.get()
    assert (row.snapshot, row.snapshot_fault) == (None, "not_found")


def test_callers_share_a_commit(writer: AuditWriter, runner: asyncio.Runner) -> None:
    async def many() -> None:
        calls = [a_call() for _ in range(64)]
        await asyncio.gather(*(writer.intent(call, snapshot=None) for call in calls))
        assert all(await asyncio.gather(*(writer.outcome(call, SUCCEEDED) for call in calls)))

    runner.run(many())
    commits = AuditEvent.objects.values("recorded_at").distinct().count()
    assert AuditEvent.objects.count() == 128
    assert commits < 32


def test_what_a_database_refuses_is_made_fit(writer: AuditWriter, runner: asyncio.Runner) -> None:
    odd = "a\x00b\ud800c" + "é" * 300
    call = a_call(target_label=odd, target_type=odd, caller={"client_name": odd, "request_id": odd, "protocol": odd})
    runner.run(writer.intent(call, snapshot=None, snapshot_fault=odd))
    row = AuditEvent.objects.get()
    assert row.client_name.startswith("a\ufffdb\ufffdcé")
    assert (len(row.client_name), len(row.target_label), len(row.target_type)) == (120, 200, 32)


def test_a_token_in_a_name_is_masked(writer: AuditWriter, runner: asyncio.Runner) -> None:
    token = assembled_token()
    runner.run(writer.intent(a_call(target_label=f"note {token}", caller={"client_name": token}), snapshot=None))
    row = AuditEvent.objects.get()
    kept = json.dumps([row.target_label, row.client_name])
    assert "4f8a2c1bdedf" in kept
    assert not any(token[start : start + 8] in kept for start in range(22, len(token) - 8))


def test_a_row_that_cannot_be_stored_fails_alone(
    database: RecordDatabase, writer: AuditWriter, runner: asyncio.Runner
) -> None:
    async def together() -> list[BaseException | None]:
        arguments = [{"name": "Globex"}, {"not JSON": object()}, {"name": "Initech"}]
        return await asyncio.gather(
            *(writer.intent(a_call(arguments=each), snapshot=None) for each in arguments), return_exceptions=True
        )

    first, second, third = runner.run(together())
    assert (first, third) == (None, None)
    assert isinstance(second, AuditUnavailableError)
    runner.run(writer.stop())
    assert committed(database) == [("intent", ""), ("intent", "")]


def test_the_same_phase_is_not_recorded_twice(writer: AuditWriter, runner: asyncio.Runner) -> None:
    call = a_call()
    runner.run(writer.intent(call, snapshot=None))
    assert runner.run(writer.outcome(call, SUCCEEDED)) is True
    assert runner.run(writer.outcome(call, REFUSED)) is False
    assert AuditEvent.objects.get(phase=AuditPhase.OUTCOME).result == Result.SUCCEEDED


def test_stopping_writes_what_is_waiting(database: RecordDatabase, runner: asyncio.Runner) -> None:
    writer = AuditWriter(timeout_s=LIMIT_S, lock_path=database.lock_path)
    writer.start()

    async def leave() -> None:
        outcomes = [asyncio.ensure_future(writer.outcome(a_call(), SUCCEEDED)) for _ in range(50)]
        await asyncio.sleep(0)
        await writer.stop()
        assert all(await asyncio.gather(*outcomes))

    runner.run(leave())
    assert len(committed(database)) == 50


@pytest.mark.parametrize(
    "prepare", [lambda writer: None, lambda writer: writer.start()], ids=["not started", "stopped"]
)
def test_a_writer_that_does_not_run_refuses(
    sqlite_database: RecordDatabase, runner: asyncio.Runner, prepare: Callable[[AuditWriter], None]
) -> None:
    writer = AuditWriter(timeout_s=LIMIT_S, lock_path=sqlite_database.lock_path)
    prepare(writer)
    runner.run(writer.stop())
    with pytest.raises(AuditUnavailableError, match="nothing was sent"):
        runner.run(writer.intent(a_call(), snapshot=None))
    assert runner.run(writer.outcome(a_call(), CallResult(Result.SUCCEEDED, 204, "", 1.0))) is False
    assert writer.outcomes_lost == 1
    assert committed(sqlite_database) == []
