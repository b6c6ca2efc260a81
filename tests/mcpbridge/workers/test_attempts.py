"""What the policy for background jobs does with faults."""

import asyncio
import errno
import logging
import threading
import time
from collections.abc import Callable

import pytest
from django.db import OperationalError

from mcpbridge.workers import AlreadyLoggedError, Attempts, PeriodicTask, PeriodicWorker, attempts, overdue_jobs


def _raises(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


def _job(**more: float) -> Attempts:
    return Attempts("a-job", title="A job", every_s=more.pop("every_s", 1.0), **more)  # type: ignore[arg-type]


def test_a_fault_is_logged_once_and_again_when_it_changes_or_an_hour_has_passed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _job()
    for number in range(3):
        assert not job.run(_raises(OperationalError(f"no answer from port {number}")))
    assert caplog.text.count("A job: failed, will retry. OperationalError") == 1
    job.run(_raises(AttributeError("another")))
    assert caplog.text.count("A job failed.") == 1
    assert "Traceback" in caplog.text
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + attempts.LOG_AGAIN_S + 1)
    job.run(_raises(OperationalError("no answer from port 4")))
    assert caplog.text.count("A job: failed, will retry. OperationalError") == 2
    assert job.run(lambda: None)
    assert caplog.text.count("A job: working again.") == 1


def test_what_was_logged_by_the_job_itself_is_not_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    job = _job()
    assert not job.run(_raises(AlreadyLoggedError()))
    assert caplog.text == ""


def test_it_waits_longer_with_each_failure_up_to_a_limit_and_not_after_a_success() -> None:
    job = _job(every_s=600.0, again_s=1.0, longest_pause_s=5.0)
    pauses = []
    for _ in range(5):
        job.run(_raises(ValueError()))
        pauses.append(job.pause_s)
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0]
    job.run(lambda: None)
    assert job.pause_s == 600.0
    # More is left to do.
    job.run(lambda: False)
    assert job.pause_s == 1.0


def test_a_job_that_does_not_succeed_for_long_is_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    job = _job()
    job.begin()
    try:
        job.run(_raises(ValueError("secret text")))
        assert "a-job" not in overdue_jobs()
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 31)
        assert "No success for 31 s (ValueError)" in overdue_jobs()["a-job"]
        assert "secret" not in overdue_jobs()["a-job"]
        job.run(lambda: None)
        assert "a-job" not in overdue_jobs()
    finally:
        job.end()


def test_the_reason_of_an_overdue_job_is_said_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    job = _job()
    job.begin()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 40)
    try:
        for error, reason in (
            (OperationalError("database or disk is full"), "the disk is full"),
            (OperationalError("attempt to write a readonly database"), "the database is read-only"),
            (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
            (AlreadyLoggedError("the disk is full"), "the disk is full"),
            (AlreadyLoggedError(), "see the log"),
        ):
            job.run(_raises(error))
            assert overdue_jobs()["a-job"] == f"No success for 40 s ({reason})."
    finally:
        job.end()


def test_a_job_on_demand_that_nobody_asks_for_is_not_overdue_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    job = _job(is_on_demand=True)
    job.begin()
    began = time.monotonic()
    try:
        job.run(_raises(OperationalError("database or disk is full")))
        monkeypatch.setattr(time, "monotonic", lambda: began + 60)
        assert "a-job" in overdue_jobs()
        monkeypatch.setattr(time, "monotonic", lambda: began + 400)
        assert "a-job" not in overdue_jobs()
    finally:
        job.end()


def test_a_thread_goes_on_after_any_fault_and_stops_at_once(runner: asyncio.Runner) -> None:
    rounds: list[int] = []
    is_third = threading.Event()

    def work() -> None:
        rounds.append(1)
        if len(rounds) == 1:
            raise AttributeError
        if len(rounds) == 3:
            is_third.set()

    worker = PeriodicWorker("a-job", work, attempts=_job(every_s=0.01))
    worker.start()
    assert is_third.wait(10)
    runner.run(worker.stop(within_s=10))
    assert not worker.is_alive


def test_a_pause_ends_when_it_is_woken_or_stopped(runner: asyncio.Runner) -> None:
    done = threading.Event()
    worker = PeriodicWorker("a-job", done.set, attempts=_job(every_s=3600.0))
    worker.start()
    worker.wake()
    assert done.wait(10)
    runner.run(worker.stop(within_s=10))
    assert not worker.is_alive


def test_a_task_goes_on_after_any_fault_and_can_be_stopped_in_the_middle(runner: asyncio.Runner) -> None:
    async def story() -> int:
        rounds, is_third = 0, asyncio.Event()

        async def work() -> None:
            nonlocal rounds
            rounds += 1
            if rounds == 1:
                raise AttributeError
            if rounds == 3:
                is_third.set()
                await asyncio.Event().wait()

        task = PeriodicTask("a-job", work, attempts=_job(every_s=0.01))
        task.start()
        await asyncio.wait_for(is_third.wait(), 10)
        await task.stop()
        return rounds

    assert runner.run(story()) == 3
