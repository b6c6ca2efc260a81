"""Calls of a killed process are counted once, by the next recorder; those of a running one are not."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mcpbridge.activity.loss_counter import OrphanedCount, PendingCallCounter, orphaned_counts

AT = datetime(2026, 6, 1, 8, 30, tzinfo=UTC)


def ended_in_a_process(folder: Path, *, settled: int, closes: bool = False) -> None:
    """Another process counts five calls of one workspace and two of another, and ends without a word, or in order."""
    if (pid := os.fork()) == 0:
        counter = PendingCallCounter(folder)
        for org_id in ("studio-nørd",) * 5 + ("globex",) * 2:
            counter.ended(org_id, AT)
        counter.settled({"studio-nørd": settled, "globex": 2})
        if closes:
            counter.close()
        os._exit(0)
    os.waitpid(pid, 0)


def test_what_a_killed_process_left_is_told_once(tmp_path: Path) -> None:
    ended_in_a_process(tmp_path, settled=3)
    with orphaned_counts(tmp_path) as left:
        assert left == [OrphanedCount("studio-nørd", 2, AT)]
    with orphaned_counts(tmp_path) as left:
        assert left == []
    assert list(tmp_path.iterdir()) == []


def test_what_could_not_be_written_down_is_told_again(tmp_path: Path) -> None:
    ended_in_a_process(tmp_path, settled=3)
    with pytest.raises(RuntimeError), orphaned_counts(tmp_path):
        raise RuntimeError("The database is away.")
    with orphaned_counts(tmp_path) as left:
        assert [each.calls for each in left] == [2]


def test_one_that_ended_in_order_leaves_only_what_it_could_not_write(tmp_path: Path) -> None:
    ended_in_a_process(tmp_path, settled=5, closes=True)
    assert list(tmp_path.iterdir()) == []
    ended_in_a_process(tmp_path, settled=4, closes=True)
    with orphaned_counts(tmp_path) as left:
        assert [each.calls for each in left] == [1]


def test_a_living_process_is_left_alone(tmp_path: Path) -> None:
    living = PendingCallCounter(tmp_path)
    living.ended("globex", AT)
    with orphaned_counts(tmp_path) as left:
        assert left == []
    living.settled({"globex": 1})
    living.close()


def test_more_workspaces_than_places_lose_their_names_and_no_call(tmp_path: Path) -> None:
    crowd = PendingCallCounter(tmp_path)
    for number in range(600):
        crowd.ended(f"org-{number}", AT)
    crowd.settled({"org-0": 1, "org-599": 1})
    crowd.close()
    with orphaned_counts(tmp_path) as left:
        assert sum(each.calls for each in left) == 598
        assert left[0] == OrphanedCount("org-1", 1, AT)
        assert left[-1] == OrphanedCount("", 88, AT)
