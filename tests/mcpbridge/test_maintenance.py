"""The thread that looks after the record: on time, alone with its faults, and never in anybody's way."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from mcpbridge.audit import reconcile
from mcpbridge.audit.writer import AuditWriter
from mcpbridge.maintenance import MaintenanceThread
from mcpbridge.models import AuditEvent, SigningHead
from tests.call_records import SUCCEEDED, a_call
from tests.databases import RecordDatabase
from tests.waiting import eventually

Start = Callable[[], MaintenanceThread]


@pytest.fixture
def writer(database: RecordDatabase, runner: asyncio.Runner) -> Iterator[AuditWriter]:
    running = AuditWriter(timeout_s=1, lock_path=database.lock_path)
    running.start()
    yield running
    runner.run(running.stop())


@pytest.fixture
def start(database: RecordDatabase, writer: AuditWriter, runner: asyncio.Runner) -> Iterator[Start]:
    started: list[MaintenanceThread] = []

    def start_one() -> MaintenanceThread:
        maintenance = MaintenanceThread(writer, lock_path=database.lock_path, look_every_s=0.05, reconcile_every_s=0.05)
        maintenance.start()
        started.append(maintenance)
        return maintenance

    yield start_one
    for maintenance in started:
        runner.run(maintenance.stop())


def heads(**which: Any) -> int:
    return SigningHead.objects.filter(**which).count()


def test_it_signs_when_rows_are_many_and_when_it_ends(
    start: Start, writer: AuditWriter, runner: asyncio.Runner, settings: Any
) -> None:
    # The ninth entry is then too early for another one, wherever between the fifth and the eighth the first one is.
    settings.AUDIT_CHECKPOINT_ROWS = 5
    maintenance = start()
    for _ in range(4):
        call = a_call()
        runner.run(writer.intent(call, snapshot=None))
        runner.run(writer.outcome(call, SUCCEEDED))
    eventually(lambda: heads(reason="rows") >= 1)
    runner.run(writer.intent(a_call(), snapshot=None))
    runner.run(maintenance.stop())
    assert heads(reason="shutdown", sequence=9) == 1


def test_it_finds_calls_without_an_outcome(
    start: Start, writer: AuditWriter, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "outcome_deadline", lambda: timedelta(seconds=-1))
    runner.run(writer.intent(a_call(), snapshot=None))
    start()
    eventually(lambda: AuditEvent.objects.filter(phase="unknown").count() == 1)


def test_it_goes_on_when_the_database_is_back(
    start: Start,
    database: RecordDatabase,
    writer: AuditWriter,
    runner: asyncio.Runner,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("mcpbridge.maintenance._LIMIT_S", 0.1)
    monkeypatch.setattr("mcpbridge.audit.checkpoints.LIMIT_S", 0.1)
    runner.run(writer.intent(a_call(), snapshot=None))
    with database.held():
        start()
        eventually(lambda: "Checkpoints: failed, will retry." in caplog.text)
        time.sleep(0.5)
    # Once a fault, not once a round.
    assert caplog.text.count("Checkpoints: failed, will retry.") == 1
    eventually(lambda: heads(sequence=1) == 1)
    eventually(lambda: "Checkpoints: working again." in caplog.text)


def test_a_key_that_nobody_announced_is_logged_and_signs_nothing(
    start: Start,
    writer: AuditWriter,
    runner: asyncio.Runner,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    runner.run(writer.intent(a_call(), snapshot=None))
    maintenance = start()
    eventually(lambda: heads() == 1)
    runner.run(maintenance.stop())
    settings.AUDIT_SIGNING_KEY = "somebody else's"
    runner.run(writer.intent(a_call(), snapshot=None))
    settings.AUDIT_CHECKPOINT_ROWS = 1
    start()
    eventually(lambda: "changed without announcement" in caplog.text)
    assert heads() == 1
    # Calls continue.
    runner.run(writer.intent(a_call(), snapshot=None))


def test_a_broken_job_does_not_end_it(
    start: Start,
    writer: AuditWriter,
    runner: asyncio.Runner,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("mcpbridge.maintenance.make_due_checkpoints", broken)
    monkeypatch.setattr(reconcile, "outcome_deadline", lambda: timedelta(seconds=-1))
    runner.run(writer.intent(a_call(), snapshot=None))
    start()
    eventually(lambda: AuditEvent.objects.filter(phase="unknown").count() == 1)
    assert "Checkpoints failed." in caplog.text
