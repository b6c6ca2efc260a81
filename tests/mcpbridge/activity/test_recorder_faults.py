"""Activity when the database is locked, away or slow: callers never notice, and what is lost is counted."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections

from mcpbridge.activity.batch import Batch
from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.activity.rejections import Rejection
from mcpbridge.models import ActivityLoss, CallKind, ObservedToken, ToolCall
from tests.call_records import ANONYMOUS, SUCCEEDED, a_call
from tests.databases import RecordDatabase, lose_answer_of_commit


class ForgetfulRecorder(ActivityRecorder):
    """Its first commit succeeds, but the answer is lost on the way back."""

    commits = 0

    def _record(self, batch: Batch) -> None:
        super()._record(batch)
        self.commits += 1
        if self.commits == 1:
            lose_answer_of_commit(connections["default"])


@pytest.fixture
def start(database: RecordDatabase, runner: asyncio.Runner) -> Iterator[Callable[..., ActivityRecorder]]:
    started: list[ActivityRecorder] = []

    def start_one(kind: type[ActivityRecorder] = ActivityRecorder, **more: Any) -> ActivityRecorder:
        recorder = kind(interval_s=0.02, limit_s=0.2, **more)
        recorder.start()
        started.append(recorder)
        return recorder

    yield start_one
    for recorder in started:
        runner.run(recorder.stop())


def settle(recorder: ActivityRecorder) -> None:
    until = time.monotonic() + 8
    while recorder.waiting:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_locked_database_delays_rows_but_no_caller(
    database: RecordDatabase, start: Callable[..., ActivityRecorder]
) -> None:
    recorder = start()
    with database.held():
        started = time.perf_counter()
        for _ in range(500):
            recorder.call(a_call(kind=CallKind.READ), SUCCEEDED)
        assert time.perf_counter() - started < 0.5
        time.sleep(0.5)
        assert recorder.waiting == 500
    settle(recorder)
    assert ToolCall.objects.count() == 500
    assert ObservedToken.objects.get().calls_read == 500
    assert recorder.lost == 0


def test_what_finds_no_room_is_counted_for_its_workspace(
    database: RecordDatabase, start: Callable[..., ActivityRecorder]
) -> None:
    recorder = start(capacity=10)
    with database.held():
        calls = [a_call(kind=CallKind.READ) for _ in range(25)]
        for call in [*calls, a_call(identity=ANONYMOUS)]:
            recorder.call(call, SUCCEEDED)
        assert recorder.lost == 16
    settle(recorder)
    recorder.call(a_call(kind=CallKind.READ), SUCCEEDED)
    settle(recorder)
    assert ToolCall.objects.count() == 11
    loss = ActivityLoss.objects.get(org_id="org-1")
    assert (loss.calls, loss.since, loss.until) == (15, calls[10].at, calls[24].at)
    assert ActivityLoss.objects.get(org_id="").calls == 1


def test_long_arguments_are_left_out_while_the_record_is_behind(
    database: RecordDatabase, start: Callable[..., ActivityRecorder]
) -> None:
    recorder = start(capacity=10)
    with database.held():
        for _ in range(4):
            recorder.call(a_call(kind=CallKind.READ, arguments={"note": "x" * 200}), SUCCEEDED)
    settle(recorder)
    kept = ToolCall.objects.order_by("pk").values_list("arguments", flat=True)
    assert ["note" in arguments for arguments in kept] == [True, True, False, False]


def test_a_commit_whose_answer_got_lost_is_not_counted_twice(
    database: RecordDatabase, start: Callable[..., ActivityRecorder]
) -> None:
    recorder = start(ForgetfulRecorder)
    for _ in range(5):
        recorder.call(a_call(kind=CallKind.READ), SUCCEEDED)
    settle(recorder)
    assert isinstance(recorder, ForgetfulRecorder)
    assert recorder.commits == 1
    assert ToolCall.objects.count() == 5
    assert ObservedToken.objects.get().calls_read == 5


def test_a_row_that_cannot_be_stored_is_lost_alone(
    database: RecordDatabase, start: Callable[..., ActivityRecorder]
) -> None:
    recorder = start()
    with database.held():
        for number in range(9):
            arguments = {"not JSON": object()} if number == 4 else {"number": number}
            recorder.call(a_call(kind=CallKind.READ, arguments=arguments), SUCCEEDED)
    settle(recorder)
    recorder.call(a_call(kind=CallKind.READ), SUCCEEDED)
    settle(recorder)
    assert ToolCall.objects.count() == 9
    assert ObservedToken.objects.get().calls_read == 9
    assert recorder.lost == 1
    assert ActivityLoss.objects.get().calls == 1


def test_stopping_with_a_locked_database_ends_in_time_and_counts_the_loss(
    database: RecordDatabase, runner: asyncio.Runner
) -> None:
    recorder = ActivityRecorder(limit_s=0.2)
    recorder.start()
    recorder.call(a_call(), SUCCEEDED)
    with database.held():
        started = time.monotonic()
        runner.run(recorder.stop())
        assert time.monotonic() - started < 2
    assert recorder.lost == 1
    assert ToolCall.objects.count() == 0


def test_rows_wait_for_a_server_that_restarts(postgres_database: RecordDatabase, runner: asyncio.Runner) -> None:
    cluster = postgres_database.cluster
    assert cluster is not None
    recorder = ActivityRecorder(interval_s=0.02, limit_s=0.2)
    recorder.start()
    recorder.call(a_call(), SUCCEEDED)
    settle(recorder)
    cluster.stop()
    try:
        for _ in range(20):
            recorder.call(a_call(kind=CallKind.READ), SUCCEEDED)
        time.sleep(0.2)
        assert recorder.waiting == 20
    finally:
        cluster.start()
    connections["default"].close()
    settle(recorder)
    runner.run(recorder.stop())
    token = ObservedToken.objects.get()
    assert (token.calls_destructive, token.calls_read, recorder.lost) == (1, 20, 0)


def test_a_flood_of_bad_credentials_pushes_no_call_out(
    database: RecordDatabase, start: Callable[..., ActivityRecorder]
) -> None:
    recorder = start(capacity=50)
    with database.held():
        for number in range(500):
            recorder.rejected(Rejection("", f"{number:012x}", "rejected", "", "", ""))
        recorder.call(a_call(kind=CallKind.READ), SUCCEEDED)
    settle(recorder)
    assert (ToolCall.objects.count(), recorder.lost) == (1, 0)
