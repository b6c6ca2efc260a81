"""The database is locked, full or away: destructive calls are refused unsent, reads go on, and it heals by itself."""

import json
import os
import resource
import shutil
import signal
import sqlite3
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.faults.conftest import Bench, bench, prefix_of
from tests.faults.disks import SmallDisk, small_disk
from tests.faults.mcp import call_tool
from tests.faults.upstream import COLLECTIONS, Hoursmith
from tests.postgres import shared_cluster


@contextmanager
def locked(bench: Bench) -> Iterator[None]:
    """Somebody else holds the lock that every writer needs."""
    if bench.database_url.startswith("sqlite"):
        with closing(sqlite3.connect(bench.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.rollback()
    else:
        with psycopg.connect(bench.database_url) as other:
            other.execute("LOCK TABLE mcpbridge_auditevent, mcpbridge_toolcall IN ACCESS EXCLUSIVE MODE")
            yield
            other.rollback()


@contextmanager
def full(bench: Bench) -> Iterator[None]:
    """No file of the worker may grow, as on a full disk."""
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in bench.served.worker_pids()}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        for pid in before.keys() & set(bench.served.worker_pids()):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before[pid])


@contextmanager
def full_for_everybody(bench: Bench) -> Iterator[None]:
    """The same for the master too, and so for each worker that it starts."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.prlimit(bench.served.pid, resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with full(bench):
            yield
    finally:
        for pid in (bench.served.pid, *bench.served.worker_pids()):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


def refuse_and_survive(bench: Bench, token: str) -> None:
    """Each destructive tool is refused in time and unsent, and reads are answered as ever."""
    hoursmith, served = bench.hoursmith, bench.served
    started = time.monotonic()
    with ThreadPoolExecutor(len(COLLECTIONS)) as pool:
        answers = pool.map(lambda tool: call_tool(served, token, tool, {"id": hoursmith.record_for(tool)}), COLLECTIONS)
    assert time.monotonic() - started < 5
    for got in answers:
        assert (got.error["status"], got.error["code"]) == (503, "audit_unavailable")
        assert "Nothing was changed" in str(got.error["hint"])
    assert hoursmith.changes == []
    started = time.monotonic()
    for _ in range(20):
        assert call_tool(served, token, "list_clients").result["isError"] is False
    assert time.monotonic() - started < 6


def heal(bench: Bench, token: str) -> None:
    """Destructive calls work again, what happened meanwhile is in the activity, and no row is left open."""
    hoursmith, prefix = bench.hoursmith, prefix_of(token)
    record_id = hoursmith.record_for("delete_client")

    def works() -> bool:
        return not call_tool(bench.served, token, "delete_client", {"id": record_id}).result["isError"]

    bench.eventually(works)
    assert len(hoursmith.changes) == 1
    bench.eventually(lambda: len(bench.rows("toolcall", "WHERE prefix = ?", prefix)) >= 26)
    calls = bench.rows("toolcall", "WHERE prefix = ?", prefix)
    assert {call["tool"] for call in calls if call["code"] == "audit_unavailable"} == set(COLLECTIONS)
    record = bench.rows("auditevent", "WHERE prefix = ?", prefix)
    phases = {call["call_id"]: {row["phase"] for row in record if row["call_id"] == call["call_id"]} for call in record}
    assert all(phase == {"intent", "outcome"} for phase in phases.values())
    assert [row["result"] for row in record if row["result"] == "succeeded"] == ["succeeded"]


def test_a_locked_database(either_bench: Bench) -> None:
    token = either_bench.hoursmith.mint()
    call_tool(either_bench.served, token, "get_me")
    with locked(either_bench):
        refuse_and_survive(either_bench, token)
    heal(either_bench, token)


def test_a_token_never_seen_before_can_read_while_the_database_is_locked(either_bench: Bench) -> None:
    with locked(either_bench):
        got = call_tool(either_bench.served, either_bench.hoursmith.mint(), "list_clients")
    assert got.result["isError"] is False


def test_a_full_disk(sqlite_bench: Bench) -> None:
    token = sqlite_bench.hoursmith.mint()
    call_tool(sqlite_bench.served, token, "get_me")
    with full(sqlite_bench):
        refuse_and_survive(sqlite_bench, token)
    heal(sqlite_bench, token)


def test_a_file_that_was_moved_away_under_sqlite(sqlite_bench: Bench, tmp_path: Path) -> None:
    """SQLite itself would go on writing to it, wherever it is, and into nowhere where it was removed."""
    token, path = sqlite_bench.hoursmith.mint(), sqlite_bench.path
    call_tool(sqlite_bench.served, token, "get_me")
    files = [path.with_name(path.name + end) for end in ("", "-wal", "-shm")]
    for file in files:
        file.rename(tmp_path / file.name)
    try:
        refuse_and_survive(sqlite_bench, token)
    finally:
        for file in files:
            (tmp_path / file.name).rename(file)
    heal(sqlite_bench, token)


def test_a_database_that_is_slow_makes_deletions_wait_and_reads_not(either_bench: Bench) -> None:
    hoursmith, served = either_bench.hoursmith, either_bench.served
    token, record_id = hoursmith.mint(), hoursmith.record_for("delete_client")
    call_tool(served, token, "get_me")
    with ThreadPoolExecutor(1) as pool:
        with locked(either_bench):
            deletion = pool.submit(call_tool, served, token, "delete_client", {"id": record_id})
            for _ in range(5):
                assert call_tool(served, token, "list_clients").result["isError"] is False
            assert not deletion.done()
            assert hoursmith.changes == []
        # Long before the time limit the lock is given back.
        assert deletion.result(20).result["isError"] is False
    assert len(hoursmith.changes) == 1


def test_a_database_that_became_read_only_under_postgresql(
    postgres_bench: Bench, needs: Callable[[bool, str], None]
) -> None:
    """As after a failover, where the address leads to what is now a standby."""
    cluster, token = shared_cluster(needs), postgres_bench.hoursmith.mint()
    call_tool(postgres_bench.served, token, "get_me")
    cluster.execute("ALTER DATABASE faults SET default_transaction_read_only = on")
    others = "FROM pg_stat_activity WHERE datname = 'faults'"
    cluster.execute(f"SELECT pg_terminate_backend(pid) {others}")
    try:
        refuse_and_survive(postgres_bench, token)
    finally:
        cluster.execute("ALTER DATABASE faults RESET default_transaction_read_only")
        cluster.execute(f"SELECT pg_terminate_backend(pid) {others}")
    heal(postgres_bench, token)


def test_a_worker_that_begins_on_a_full_disk_serves_all_the_same(sqlite_bench: Bench) -> None:
    token = sqlite_bench.hoursmith.mint()
    with full_for_everybody(sqlite_bench):
        (before,) = sqlite_bench.served.worker_pids()
        os.kill(before, signal.SIGKILL)
        sqlite_bench.eventually(lambda: before not in sqlite_bench.served.worker_pids() and sqlite_bench.answers(), 90)
        counted = calls_in_metrics(sqlite_bench)
        call_tool(sqlite_bench.served, token, "get_me")
        refuse_and_survive(sqlite_bench, token)
        # It reports what the other workers counted, as they do: sums must not depend on who answers.
        assert calls_in_metrics(sqlite_bench) == counted
    heal(sqlite_bench, token)


def calls_in_metrics(bench: Bench) -> list[str]:
    with urllib.request.urlopen(f"{bench.served.url}/metrics", timeout=10) as answer:
        return sorted(line for line in answer.read().decode().splitlines() if "hoursmith_tool_calls_total{" in line)


def use_up(bench: Bench) -> None:
    """Make destructive calls until none fits into what the database has reserved already."""
    token, refused = bench.hoursmith.mint(), 0
    for _ in range(400):
        got = call_tool(bench.served, token, "delete_client", {"id": bench.hoursmith.record_for("delete_client")})
        refused = refused + 1 if got.result["isError"] else 0
        if refused == 2:
            break
    assert refused == 2
    bench.hoursmith.seen.clear()


def fill_and_empty(bench: Bench, disk: SmallDisk) -> None:
    """The disk becomes full, stays so for a while, and has room again."""
    token = bench.hoursmith.mint()
    call_tool(bench.served, token, "get_me")
    is_here = str(disk.path) in bench.database_url
    assert "disks" not in readiness(bench)
    disk.fill()
    use_up(bench)
    refuse_and_survive(bench, token)
    if is_here:
        assert "disk is full" in readiness(bench)["disks"]["database"]
    disk.empty()
    heal(bench, token)
    assert "disks" not in readiness(bench)


def readiness(bench: Bench) -> dict[str, Any]:
    """What the node says of itself; it is ready, since it serves reads."""
    with urllib.request.urlopen(f"{bench.served.url}/readyz", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def read_only_and_not(bench: Bench, disk: SmallDisk) -> None:
    """The disk becomes read-only, as a kernel makes it after an error, and the console is started anew on it."""
    token = bench.hoursmith.mint()
    call_tool(bench.served, token, "get_me")
    bench.served.stop()
    bench.hoursmith.seen.clear()
    lost = sum(row["calls"] for row in bench.rows("activityloss"))
    disk.remount("ro")
    bench.served.start()
    refuse_and_survive(bench, token)
    bench.served.kill()
    disk.remount("rw")
    bench.served.start()
    deletion = {"id": bench.hoursmith.record_for("delete_client")}
    assert call_tool(bench.served, token, "delete_client", deletion).result["isError"] is False
    # What the killed process could not write of reads and refused deletions is counted.
    bench.eventually(lambda: sum(row["calls"] for row in bench.rows("activityloss")) == lost + 25)


def test_a_disk_that_is_really_full_and_then_read_only_under_sqlite(tmp_path: Path, hoursmith: Hoursmith) -> None:
    with small_disk(tmp_path / "disk", megabytes=24) as disk:
        url = f"sqlite:///{disk.path}/console.sqlite3"
        with bench(tmp_path / "console", hoursmith, database_url=url) as running:
            fill_and_empty(running, disk)
            assert "disk is full" in running.served.output()
            read_only_and_not(running, disk)


def test_a_disk_that_is_really_full_under_postgresql(
    tmp_path_factory: pytest.TempPathFactory, hoursmith: Hoursmith, needs: Callable[[bool, str], None]
) -> None:
    cluster = shared_cluster(needs)
    # The server runs as somebody else, who may not enter the test's folder.
    folder = Path(tempfile.mkdtemp(prefix="console-disk-"))
    folder.chmod(0o755)
    with small_disk(folder / "disk", megabytes=32, owner=cluster.owner) as disk:
        url = cluster.create_database("full", on_disk=disk.path)
        try:
            with bench(tmp_path_factory.mktemp("full"), hoursmith, database_url=url) as running:
                fill_and_empty(running, disk)
                assert "No space left on device" in running.served.output()
        finally:
            cluster.drop_database("full")
    shutil.rmtree(folder)


def test_a_database_server_that_goes_away_and_comes_back(
    postgres_bench: Bench, needs: Callable[[bool, str], None]
) -> None:
    cluster = shared_cluster(needs)
    token = postgres_bench.hoursmith.mint()
    call_tool(postgres_bench.served, token, "get_me")
    cluster.stop()
    try:
        refuse_and_survive(postgres_bench, token)
    finally:
        cluster.start()
    heal(postgres_bench, token)
