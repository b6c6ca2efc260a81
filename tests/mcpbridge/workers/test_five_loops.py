"""An unexpected error in each background loop, once: the loop continues."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from hoursmith_console.jobs.scheduler import BackgroundJobs, Job
from mcpbridge import maintenance
from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.audit import writer as audit
from mcpbridge.audit.destinations.delivery import Delivery
from mcpbridge.audit.destinations.dispatcher import Dispatcher
from mcpbridge.audit.writer import AuditWriter
from mcpbridge.auth.restrictions import polling
from mcpbridge.auth.restrictions.blocks import block_token
from mcpbridge.auth.restrictions.polling import restriction_store
from mcpbridge.auth.restrictions.store import Restrictions
from mcpbridge.maintenance import MaintenanceThread
from mcpbridge.models import AuditEvent, TokenRef, ToolCall
from mcpbridge.observability import metrics
from tests.call_records import SUCCEEDED, a_call
from tests.databases import RecordDatabase
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("database")

Fail = Callable[[Any, str], threading.Event]


@pytest.fixture
def fail_once(monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Let the first use of a name fail; the event says that the second came."""

    def fail(owner: Any, name: str) -> threading.Event:
        real = getattr(owner, name)
        uses, is_used_again = iter(range(1_000_000)), threading.Event()

        def once(*arguments: Any, **named: Any) -> Any:
            if next(uses) == 0:
                raise AttributeError(f"an injected fault in {name}")
            is_used_again.set()
            return real(*arguments, **named)

        monkeypatch.setattr(owner, name, once)
        return is_used_again

    return fail


def test_the_restrictions(runner: asyncio.Runner, fail_once: Fail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "POLL_S", 0.05)
    book = restriction_store()
    runner.run(book.start())
    again = fail_once(Restrictions, "from_rows")
    block_token(env="live", prefix="4f8a2c1bdedf", org_id="org-1", actor="Ana", reason="")

    async def is_blocked() -> bool:
        for _ in range(500):
            if again.is_set() and book.now().is_blocked(TokenRef("live", "4f8a2c1bdedf")):
                return True
            await asyncio.sleep(0.02)
        return False

    assert runner.run(is_blocked())
    runner.run(book.stop())


def test_the_activity(runner: asyncio.Runner, fail_once: Fail) -> None:
    again = fail_once(metrics.CallCounts, "flush")
    recorder = ActivityRecorder(interval_s=0.02)
    recorder.start()
    assert again.wait(20)
    recorder.call(a_call(), SUCCEEDED)
    eventually(lambda: ToolCall.objects.count() == 1)
    runner.run(recorder.stop())
    assert recorder.lost == 0


@pytest.mark.parametrize("name", ["make_due_checkpoints", "expire_approvals"])
def test_the_maintenance(
    database: RecordDatabase, runner: asyncio.Runner, fail_once: Fail, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(maintenance, "_EXPIRE_EVERY_S", 0.02)
    again = fail_once(maintenance, name)
    writer = AuditWriter(timeout_s=2, lock_path=database.lock_path)
    writer.start()
    running = MaintenanceThread(writer, lock_path=database.lock_path, look_every_s=0.02)
    running.start()
    assert again.wait(20)
    runner.run(running.stop())
    runner.run(writer.stop())


@pytest.mark.parametrize("name", ["due", "run"])
def test_the_log_destinations(
    database: RecordDatabase, runner: asyncio.Runner, fail_once: Fail, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # Something is due each time, though there is no such destination.
    running = Dispatcher(lock_path=database.lock_path, look_every_s=0.02)
    monkeypatch.setattr(Delivery, "due", lambda _: [1])
    again = fail_once(Delivery, name)
    running.start()
    assert again.wait(20)
    # Both at once, the last first: else the one would bring the other back.
    monkeypatch.undo()
    runner.run(running.stop())


def test_the_rotations(runner: asyncio.Runner) -> None:
    rounds: list[int] = []
    is_done = threading.Event()

    def work() -> None:
        rounds.append(1)
        if len(rounds) == 1:
            raise AttributeError("an injected fault")
        is_done.set()

    watch = BackgroundJobs([Job("Rotations", 0.01, work)], look_every_s=0.01)
    watch.start()
    assert is_done.wait(20)
    runner.run(watch.stop())


def test_the_audit_writer(database: RecordDatabase, runner: asyncio.Runner, fail_once: Fail) -> None:
    fail_once(audit.metrics.audit_waiting, "set")
    writer = AuditWriter(timeout_s=5, lock_path=database.lock_path)
    writer.start()
    runner.run(writer.intent(a_call(), snapshot=None))
    assert AuditEvent.objects.count() == 1
    runner.run(writer.stop())
