"""The record of destructive calls when the database is locked, full, away or slow: it fails closed, and says so."""

import asyncio
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connections

from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.audit.queue import QueueEntry
from mcpbridge.audit.writer import AuditWriter
from mcpbridge.models import AuditEvent
from tests.call_records import SUCCEEDED, a_call
from tests.databases import RecordDatabase, lose_answer_of_commit
from tests.waiting import eventually

LIMIT_S = 0.6


class GatedWriter(AuditWriter):
    """Stops inside the transaction, between claiming the rows and committing them, until it is released."""

    def __init__(self, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]
        self.may_go_on, self.is_inside = threading.Event(), threading.Event()

    def _insert(self, entries: list[QueueEntry]) -> list[QueueEntry]:
        over = super()._insert(entries)
        self.is_inside.set()
        self.may_go_on.wait(10)
        return over


class ForgetfulWriter(AuditWriter):
    """Its first commit succeeds, but the answer is lost on the way back."""

    commits = 0

    def _insert(self, entries: list[QueueEntry]) -> list[QueueEntry]:
        over = super()._insert(entries)
        self.commits += 1
        if self.commits == 1:
            lose_answer_of_commit(connections["default"])
        return over


@pytest.fixture
def start(database: RecordDatabase, runner: asyncio.Runner) -> Iterator[Callable[..., AuditWriter]]:
    started: list[AuditWriter] = []

    def start_one(kind: type[AuditWriter] = AuditWriter, **more: int) -> AuditWriter:
        writer = kind(timeout_s=LIMIT_S, lock_path=database.lock_path, **more)
        writer.start()
        started.append(writer)
        return writer

    yield start_one
    for writer in started:
        runner.run(writer.stop())


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def rows() -> list[tuple[str, str, str]]:
    return list(AuditEvent.objects.order_by("recorded_at", "phase").values_list("phase", "result", "code"))


def test_a_locked_database_refuses_in_time_and_nothing_is_written_later(
    database: RecordDatabase, start: Callable[..., AuditWriter], runner: asyncio.Runner
) -> None:
    writer = start()
    with (
        database.held(),
        within(3 * LIMIT_S),
        pytest.raises(AuditUnavailableError, match=r"within 0\.6 seconds, so nothing was sent"),
    ):
        runner.run(writer.intent(a_call(), snapshot=None))
    runner.run(writer.intent(a_call(tool="delete_expense"), snapshot=None))
    runner.run(writer.stop())
    tools = list(AuditEvent.objects.filter(phase="intent").values_list("tool", flat=True))
    answered = AuditEvent.objects.filter(tool="delete_client", phase="outcome", code="audit_unavailable").count()
    # PostgreSQL locks at the first row, when the intent is already being written: then its refusal is recorded too.
    assert tools.count("delete_expense") == 1
    assert tools.count("delete_client") == answered
    if database.path is not None:
        assert answered == 0


def test_many_waiting_callers_are_all_refused_in_time(
    database: RecordDatabase, start: Callable[..., AuditWriter], runner: asyncio.Runner
) -> None:
    writer = start()

    async def all_at_once() -> list[BaseException | None]:
        intents = (writer.intent(a_call(), snapshot=None) for _ in range(100))
        return await asyncio.gather(*intents, return_exceptions=True)

    with database.held(), within(3 * LIMIT_S):
        assert all(isinstance(answer, AuditUnavailableError) for answer in runner.run(all_at_once()))


def test_a_lock_shorter_than_the_limit_only_delays(
    database: RecordDatabase, start: Callable[..., AuditWriter], runner: asyncio.Runner
) -> None:
    writer = start()

    async def meanwhile() -> None:
        intent = asyncio.create_task(writer.intent(a_call(), snapshot=None))
        with database.held():
            await asyncio.sleep(LIMIT_S / 3)
        await intent

    runner.run(meanwhile())
    assert rows() == [("intent", "", "")]


def test_an_outcome_that_cannot_be_written_in_time_is_written_later(
    database: RecordDatabase, start: Callable[..., AuditWriter], runner: asyncio.Runner
) -> None:
    writer, call = start(), a_call()
    runner.run(writer.intent(call, snapshot=None))
    with database.held(), within(3 * LIMIT_S):
        assert runner.run(writer.outcome(call, SUCCEEDED)) is False
    eventually(lambda: rows() == [("intent", "", ""), ("outcome", "succeeded", "")], told=rows)
    assert writer.outcomes_lost == 0


def test_an_intent_given_up_while_being_written_reads_as_refused(
    database: RecordDatabase, start: Callable[..., AuditWriter], runner: asyncio.Runner
) -> None:
    writer = start(GatedWriter)
    assert isinstance(writer, GatedWriter)
    with pytest.raises(AuditUnavailableError):
        runner.run(writer.intent(a_call(), snapshot=None))
    assert writer.is_inside.is_set()
    writer.may_go_on.set()
    eventually(lambda: rows() == [("intent", "", ""), ("outcome", "refused", "audit_unavailable")], told=rows)


def test_a_caller_who_leaves_while_the_intent_is_written_leaves_a_refusal(
    database: RecordDatabase, start: Callable[..., AuditWriter], runner: asyncio.Runner
) -> None:
    writer = start(GatedWriter)
    assert isinstance(writer, GatedWriter)

    async def leave() -> None:
        intent = asyncio.create_task(writer.intent(a_call(), snapshot=None))
        await asyncio.to_thread(writer.is_inside.wait, 5)
        intent.cancel()
        with pytest.raises(asyncio.CancelledError):
            await intent

    runner.run(leave())
    writer.may_go_on.set()
    eventually(lambda: rows() == [("intent", "", ""), ("outcome", "refused", "audit_unavailable")], told=rows)


def test_a_caller_who_leaves_before_the_intent_is_written_leaves_nothing(
    sqlite_database: RecordDatabase, runner: asyncio.Runner
) -> None:
    writer = AuditWriter(timeout_s=LIMIT_S, lock_path=sqlite_database.lock_path)
    writer.start()

    async def leave() -> None:
        with sqlite_database.held():
            intent = asyncio.create_task(writer.intent(a_call(), snapshot=None))
            await asyncio.sleep(0.05)
            intent.cancel()
            with pytest.raises(asyncio.CancelledError):
                await intent

    runner.run(leave())
    runner.run(writer.stop())
    assert rows() == []


def test_a_commit_whose_answer_got_lost_is_neither_lost_nor_repeated(
    database: RecordDatabase, start: Callable[..., AuditWriter], runner: asyncio.Runner
) -> None:
    writer = start(ForgetfulWriter)
    runner.run(writer.intent(a_call(), snapshot=None))
    assert isinstance(writer, ForgetfulWriter)
    assert writer.commits == 2
    assert rows() == [("intent", "", "")]


def test_a_full_queue_refuses_intents_but_still_takes_outcomes(
    database: RecordDatabase, start: Callable[..., AuditWriter], runner: asyncio.Runner
) -> None:
    writer = start(capacity=4)

    async def crowd() -> None:
        with database.held():
            intents = [asyncio.create_task(writer.intent(a_call(), snapshot=None)) for _ in range(10)]
            await asyncio.sleep(0.1)
            outcome = asyncio.create_task(writer.outcome(a_call(), SUCCEEDED))
            await asyncio.sleep(0)
            refused_at_once = [task for task in intents if task.done()]
            assert len(refused_at_once) >= 6
        await asyncio.gather(*intents, return_exceptions=True)
        assert await outcome is True

    runner.run(crowd())


def test_a_cut_connection_is_opened_again(postgres_database: RecordDatabase, runner: asyncio.Runner) -> None:
    writer = AuditWriter(timeout_s=LIMIT_S, lock_path=None)
    writer.start()
    for _ in range(3):
        runner.run(writer.intent(a_call(), snapshot=None))
        postgres_database.disconnect_everybody()
    runner.run(writer.intent(a_call(), snapshot=None))
    runner.run(writer.stop())
    connections["default"].close()
    assert len(rows()) == 4


def can_ask() -> bool:
    """Whether this process reaches the server again; a pooler before it refuses for another second."""
    connections["default"].close()
    try:
        rows()
    except OperationalError:
        return False
    return True


def test_the_record_outlives_a_restart_of_the_server(postgres_database: RecordDatabase, runner: asyncio.Runner) -> None:
    cluster = postgres_database.cluster
    assert cluster is not None
    writer, call = AuditWriter(timeout_s=LIMIT_S, lock_path=None), a_call()
    writer.start()
    runner.run(writer.intent(call, snapshot=None))
    cluster.stop()
    try:
        assert runner.run(writer.outcome(call, SUCCEEDED)) is False
        with within(3 * LIMIT_S), pytest.raises(AuditUnavailableError):
            runner.run(writer.intent(a_call(), snapshot=None))
    finally:
        cluster.start()
    eventually(can_ask)
    eventually(lambda: ("outcome", "succeeded", "") in rows(), told=rows)
    runner.run(writer.intent(a_call(), snapshot=None))
    runner.run(writer.stop())
    assert [phase for phase, _, _ in rows()] == ["intent", "outcome", "intent"]


def test_an_intent_outlives_a_crash_of_the_server_whatever_its_default(
    postgres_database: RecordDatabase, runner: asyncio.Runner
) -> None:
    cluster = postgres_database.cluster
    assert cluster is not None
    cluster.execute(f'ALTER DATABASE "{postgres_database.name}" SET synchronous_commit = off')
    writer = AuditWriter(timeout_s=LIMIT_S, lock_path=None)
    writer.start()
    runner.run(writer.intent(a_call(), snapshot=None))
    cluster.stop()
    cluster.start()
    connections["default"].close()
    assert rows() == [("intent", "", "")]
    runner.run(writer.stop())


def test_no_statement_waits_longer_than_the_limit(postgres_database: RecordDatabase, runner: asyncio.Runner) -> None:
    cluster = postgres_database.cluster
    assert cluster is not None
    writer = AuditWriter(timeout_s=LIMIT_S, lock_path=None)
    writer.start()
    longest = 0.0
    with postgres_database.held():
        with pytest.raises(AuditUnavailableError):
            runner.run(writer.intent(a_call(), snapshot=None))
        until = time.monotonic() + 2 * LIMIT_S
        while time.monotonic() < until:
            ((waited,),) = cluster.execute(
                "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - query_start)), 0)"
                " FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            )
            longest = max(longest, float(waited))
            time.sleep(0.02)
    assert 0 < longest < 1.5 * LIMIT_S
    runner.run(writer.stop())


def test_a_read_only_server_refuses(postgres_database: RecordDatabase, runner: asyncio.Runner) -> None:
    assert postgres_database.cluster is not None
    name = postgres_database.name
    postgres_database.cluster.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    writer = AuditWriter(timeout_s=LIMIT_S, lock_path=None)
    writer.start()
    with pytest.raises(AuditUnavailableError):
        runner.run(writer.intent(a_call(), snapshot=None))
    runner.run(writer.stop())


def test_a_read_only_file_refuses(sqlite_database: RecordDatabase, runner: asyncio.Runner) -> None:
    options = connections.settings["default"]["OPTIONS"]
    options["init_command"] += "; PRAGMA query_only=ON"
    writer = AuditWriter(timeout_s=LIMIT_S, lock_path=sqlite_database.lock_path)
    writer.start()
    with pytest.raises(AuditUnavailableError):
        runner.run(writer.intent(a_call(), snapshot=None))
    assert runner.run(writer.outcome(a_call(), SUCCEEDED)) is False
    runner.run(writer.stop())
    assert writer.outcomes_lost == 1


def test_a_disk_without_room_refuses_and_is_fine_again_with_room(
    sqlite_database: RecordDatabase, runner: asyncio.Runner
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = AuditWriter(timeout_s=LIMIT_S, lock_path=sqlite_database.lock_path)
    writer.start()

    async def fill() -> None:
        for _ in range(50):
            await writer.intent(a_call(), snapshot={"note": "x" * 8000})

    # The log of SQLite may not grow beyond this, as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, before[1]))
    try:
        with pytest.raises(AuditUnavailableError):
            runner.run(fill())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    runner.run(writer.intent(a_call(tool="delete_expense"), snapshot=None))
    runner.run(writer.stop())
    assert AuditEvent.objects.filter(tool="delete_expense").count() == 1


def test_a_hanging_holder_of_the_turn_does_not_stop_the_others(
    sqlite_database: RecordDatabase, runner: asyncio.Runner
) -> None:
    hanging = sqlite_database.run_python(
        "import fcntl, time\n"
        f"file = open({str(sqlite_database.lock_path)!r}, 'w')\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n"
    )
    assert hanging.stdout is not None
    assert hanging.stdout.readline() == "held\n"
    writer = AuditWriter(timeout_s=LIMIT_S, lock_path=sqlite_database.lock_path)
    writer.start()
    try:
        runner.run(writer.intent(a_call(), snapshot=None))
    finally:
        hanging.kill()
        hanging.communicate()
    runner.run(writer.stop())
    assert rows() == [("intent", "", "")]


WORKER = """
import asyncio, pathlib, sys
from mcpbridge.audit.writer import AuditWriter
from tests.call_records import SUCCEEDED, a_call

async def main():
    writer = AuditWriter(timeout_s=5, lock_path=pathlib.Path({lock!r}))
    writer.start()
    async def caller():
        for _ in range(10):
            call = a_call()
            await writer.intent(call, snapshot={{"name": "Globex"}})
            assert await writer.outcome(call, SUCCEEDED)
    await asyncio.gather(*(caller() for _ in range(20)))
    await writer.stop()

asyncio.run(main())
"""


def test_two_processes_write_one_database(database: RecordDatabase) -> None:
    workers = [database.run_python(WORKER.format(lock=str(database.lock_path))) for _ in range(2)]
    for worker in workers:
        output, _ = worker.communicate(timeout=60)
        assert worker.returncode == 0, output
    assert AuditEvent.objects.filter(phase="intent").count() == 400
    assert AuditEvent.objects.filter(phase="outcome", result="succeeded").count() == 400
