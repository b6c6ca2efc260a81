"""Calls whose transactions commit in another order than their numbers: none is passed by who follows the numbers."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection, transaction

from mcpbridge.activity import batch as activity
from mcpbridge.activity import order
from mcpbridge.activity.order import whole_until
from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.models import CallKind, ToolCall
from tests.call_records import OWNER, SUCCEEDED, a_call
from tests.databases import RecordDatabase


class Follower:
    """Continues from an id, as a live list does."""

    def __init__(self) -> None:
        self.place = 0
        self.seen: list[str] = []

    def look(self) -> None:
        until = whole_until("default")
        rows = ToolCall.objects.filter(pk__gt=self.place, pk__lte=until).order_by("pk")
        self.seen += [row.prefix for row in rows]
        self.place = max(self.place, until)


def _record(recorder: ActivityRecorder, prefix: str) -> None:
    call = a_call(kind=CallKind.READ, caller={"prefix": prefix}, identity=replace(OWNER, org_id=f"org-{prefix}"))
    recorder.call(call, SUCCEEDED)


@pytest.fixture
def slow_first(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """The first transaction of calls stops between its rows and its commit: return both events."""
    is_there, may_go_on = threading.Event(), threading.Event()
    real, uses = activity.add_to_usage_counters, iter(range(1_000))

    def add_to_usage_counters(*arguments: Any, **named: Any) -> None:
        if next(uses) == 0:
            is_there.set()
            assert may_go_on.wait(30)
        real(*arguments, **named)

    monkeypatch.setattr(activity, "add_to_usage_counters", add_to_usage_counters)
    return is_there, may_go_on


def test_a_row_that_commits_behind_a_later_number_is_not_passed(
    postgres_database: RecordDatabase,
    runner: asyncio.Runner,
    slow_first: tuple[threading.Event, threading.Event],
) -> None:
    is_there, may_go_on = slow_first
    follower, recorders = Follower(), [ActivityRecorder(interval_s=0.02, limit_s=30) for _ in range(2)]
    for recorder in recorders:
        recorder.start()
    _record(recorders[0], "aaaaaaaaaaaa")
    assert is_there.wait(30)
    _record(recorders[1], "bbbbbbbbbbbb")
    runner.run(recorders[1].stop())
    assert [row.prefix for row in ToolCall.objects.all()] == ["bbbbbbbbbbbb"]
    follower.look()
    assert follower.seen == []
    may_go_on.set()
    runner.run(recorders[0].stop())
    follower.look()
    assert follower.seen == ["aaaaaaaaaaaa", "bbbbbbbbbbbb"]


def test_what_is_committed_is_there_at_once(database: RecordDatabase, runner: asyncio.Runner) -> None:
    assert whole_until("default") == 0
    follower, recorder = Follower(), ActivityRecorder()
    recorder.start()
    _record(recorder, "aaaaaaaaaaaa")
    runner.run(recorder.stop())
    follower.look()
    assert follower.seen == ["aaaaaaaaaaaa"]


@pytest.mark.parametrize(("last", "part", "number"), [(5, 3, 3), (5, 8, 8), (2**31 + 1, 2**31 - 1, 2**31 - 1)])
def test_a_number_is_told_by_its_lower_bits(last: int, part: int, number: int) -> None:
    assert order._nearest(last, part) == number


def test_numbers_beyond_what_a_part_of_a_lock_holds_are_told_apart(postgres_database: RecordDatabase) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('mcpbridge_toolcall_id_seq', %s)", [2**33])
    with transaction.atomic():
        order.mark_insert_begin("default")
        with connection.cursor() as cursor:
            cursor.execute(order._WRITING, [order._CLASS])
            ((part,),) = cursor.fetchall()
    assert order._nearest(2**33 + 7, part) == 2**33
