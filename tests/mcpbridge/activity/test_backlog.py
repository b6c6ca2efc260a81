"""Calls that the database cannot take are kept on disk, in order, and survive the end of their process."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mcpbridge.activity.observed import EndedCall
from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.activity.spill import Spill, left_spills, own_spill
from mcpbridge.core.types import CallResult
from mcpbridge.models import ActivityLoss, CallKind, ObservedToken, Result, ToolCall
from tests.call_records import SUCCEEDED, a_call
from tests.databases import RecordDatabase
from tests.waiting import eventually

CAPACITY = 20


@pytest.fixture
def start(
    database: RecordDatabase, runner: asyncio.Runner, tmp_path: Path
) -> Iterator[Callable[..., ActivityRecorder]]:
    started: list[ActivityRecorder] = []

    def start_one(**more: Any) -> ActivityRecorder:
        recorder = ActivityRecorder(
            interval_s=0.02, limit_s=0.2, capacity=CAPACITY, folder=tmp_path / "activity", **more
        )
        recorder.start()
        started.append(recorder)
        return recorder

    yield start_one
    for recorder in started:
        runner.run(recorder.stop())


def call_often(recorder: ActivityRecorder, number: int) -> None:
    """One call after another, as fast as memory has room; each says which it is."""
    for which in range(number):
        eventually(lambda: recorder.waiting < CAPACITY)
        recorder.call(a_call(kind=CallKind.READ, target_id=str(which)), SUCCEEDED)


def written() -> list[int]:
    return [int(which) for which in ToolCall.objects.order_by("pk").values_list("target_id", flat=True)]


def an_ended_call(**more: Any) -> EndedCall:
    return EndedCall(a_call(**more), CallResult(Result.FAILED, 502, "upstream_dropped", 12.5), is_accepted=True)


def test_many_more_calls_than_memory_holds_outlive_an_outage_in_order(
    database: RecordDatabase, start: Callable[..., ActivityRecorder], tmp_path: Path
) -> None:
    recorder = start()
    with database.held():
        call_often(recorder, 60)
        assert list((tmp_path / "activity").glob("*.spill"))
    eventually(lambda: ToolCall.objects.count() == 60)
    assert written() == list(range(60))
    assert ObservedToken.objects.get().calls_read == 60
    assert recorder.lost == 0
    assert ActivityLoss.objects.count() == 0


def test_what_an_ending_process_could_not_write_is_written_by_the_next(
    database: RecordDatabase, start: Callable[..., ActivityRecorder], runner: asyncio.Runner, tmp_path: Path
) -> None:
    recorder = start()
    with database.held():
        call_often(recorder, 30)
        runner.run(recorder.stop())
        assert list((tmp_path / "activity").glob("*.spill"))
    # A server that was about to refuse them may still have written them: the next process adds none again.
    assert recorder.lost == 0
    start()
    eventually(lambda: ToolCall.objects.count() == 30)
    assert written() == list(range(30))
    eventually(lambda: not list((tmp_path / "activity").glob("*.spill")))


def test_a_file_that_was_written_already_adds_no_row(
    database: RecordDatabase, start: Callable[..., ActivityRecorder], runner: asyncio.Runner, tmp_path: Path
) -> None:
    recorder = start()
    with database.held():
        call_often(recorder, 30)
        runner.run(recorder.stop())
    (left,) = (tmp_path / "activity").glob("*.spill")
    # As if the process that wrote it had been killed before it could note that.
    shutil.copy(left, tmp_path / "copy")
    start()
    eventually(lambda: ToolCall.objects.count() == 30)
    shutil.copy(tmp_path / "copy", tmp_path / "activity" / "1-again.spill")
    eventually(lambda: not list((tmp_path / "activity").glob("*.spill")))
    assert written() == list(range(30))
    assert ObservedToken.objects.get().calls_read == 30


def test_without_a_place_to_keep_them_calls_wait_in_memory_and_the_rest_is_counted(
    database: RecordDatabase, runner: asyncio.Runner, tmp_path: Path
) -> None:
    (tmp_path / "activity").touch()
    recorder = ActivityRecorder(interval_s=0.02, limit_s=0.2, capacity=CAPACITY, folder=tmp_path / "activity")
    recorder.start()
    with database.held():
        for which in range(35):
            recorder.call(a_call(kind=CallKind.READ, target_id=str(which)), SUCCEEDED)
        time.sleep(0.5)
        assert (recorder.lost, recorder.waiting) == (15, CAPACITY)
    eventually(lambda: ToolCall.objects.count() == CAPACITY)
    runner.run(recorder.stop())
    assert ActivityLoss.objects.get().calls == 15


def test_a_full_file_takes_no_more_and_has_room_again_once_it_is_empty(tmp_path: Path) -> None:
    calls = [an_ended_call() for _ in range(10)]
    spill = own_spill(tmp_path, limit_bytes=4_000)
    kept = spill.append(calls)
    assert 0 < kept < 10
    assert spill.append(calls) == 0
    ended, size = spill.first(100)
    assert ended == calls[:kept]
    spill.forget(len(ended), size)
    assert spill.append(calls) == kept
    spill.close()


def test_a_call_comes_back_as_it_was(tmp_path: Path) -> None:
    calls = [
        an_ended_call(arguments={"name": "Zoë \x00 \U0001f680 \n", "rows": [1.5, None, True], "more": {"1": []}}),
        an_ended_call(kind=CallKind.DESTRUCTIVE, target_label="“x”\r\n"),
    ]
    spill = own_spill(tmp_path, limit_bytes=100_000)
    assert spill.append(calls) == 2
    first, size = spill.first(1)
    assert first == calls[:1]
    spill.forget(1, size)
    assert spill.first(5)[0] == calls[1:]
    # What is read twice is read the same, also by whoever takes the file over.
    spill.close()
    (left,) = left_spills(tmp_path)
    assert (left.calls, left.first(5)[0]) == (1, calls[1:])
    left.close()


def test_a_file_is_of_one_process_and_half_a_line_at_its_end_is_dropped(tmp_path: Path) -> None:
    spill = own_spill(tmp_path, limit_bytes=100_000)
    spill.append([an_ended_call(), an_ended_call()])
    assert list(left_spills(tmp_path)) == []
    spill.close()
    (path,) = tmp_path.glob("*.spill")
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(path.read_bytes() + b'{"call_id": "')
    (left,) = left_spills(tmp_path)
    ended, size = left.first(5)
    assert len(ended) == 2
    left.forget(2, size)
    left.close()
    assert not path.exists()


def test_a_disk_without_room_takes_all_of_a_line_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spill = Spill(tmp_path / "1-a.spill", limit_bytes=100_000)
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:20]))
    assert spill.append([an_ended_call()]) == 0
    monkeypatch.undo()
    assert (tmp_path / "1-a.spill").stat().st_size == 0
    assert spill.append([an_ended_call()]) == 1
    assert len(spill.first(5)[0]) == 1
    spill.close()


_KILLED = """
import asyncio
from pathlib import Path
from mcpbridge.activity.recorder import ActivityRecorder
from mcpbridge.models import CallKind
from tests.call_records import SUCCEEDED, a_call
recorder = ActivityRecorder(interval_s=0.02, limit_s=0.2, capacity=20, folder=Path({folder!r}))
recorder.start()
import time
for which in range(50):
    while recorder.waiting >= 20:
        time.sleep(0.01)
    recorder.call(a_call(kind=CallKind.READ, target_id=str(which)), SUCCEEDED)
print("lost", recorder.lost, flush=True)
time.sleep(600)
"""


def test_a_killed_process_loses_only_what_it_had_in_memory(
    database: RecordDatabase, start: Callable[..., ActivityRecorder], tmp_path: Path
) -> None:
    with database.held():
        process = database.run_python(_KILLED.format(folder=str(tmp_path / "activity")))
        assert process.stdout is not None
        # The log is among what it prints.
        assert "lost 0\n" in iter(process.stdout.readline, "")
        process.send_signal(signal.SIGKILL)
        process.communicate()
    start()
    eventually(lambda: ActivityLoss.objects.exists() or ToolCall.objects.count() == 50)
    eventually(lambda: ToolCall.objects.count() + sum(ActivityLoss.objects.values_list("calls", flat=True)) == 50)
    rows = written()
    assert rows == list(range(len(rows)))
    assert len(rows) >= 50 - CAPACITY
