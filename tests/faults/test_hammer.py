"""Four processes on SQLite, sixteen callers each, and every second a process is killed: the record stays whole.

`test_two_nodes_under_load` does more of that on PostgreSQL. It runs for six seconds. For a longer run:
HAMMER_SECONDS=60 .venv/bin/python -m pytest tests/faults/test_hammer.py -s
"""

import http.client
import json
import os
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.conftest import Bench
from tests.faults.counting import counting
from tests.faults.mcp import call_tool
from tests.faults.upstream import new_token
from tests.servers import served_console
from tests.tool_results import error_in

SECONDS = float(os.environ.get("HAMMER_SECONDS", "6"))
PROCESSES = 4
CALLERS = 16
# Whatever waits longer than this hangs: the record and Hoursmith have limits of a few seconds, a busy machine has none.
LONGEST_CALL_S = 60.0


class Caller(threading.Thread):
    """Destroys one record after the other until it is told to stop, and keeps what it was told of each."""

    def __init__(self, bench: Bench, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._bench = bench
        self._stop_calling = stop
        self._token = new_token()
        self.told: dict[str, str] = {}

    def run(self) -> None:
        while not self._stop_calling.is_set():
            record_id = str(uuid.uuid4())
            self.told[record_id] = "hung"
            self.told[record_id] = self._destroy(record_id)

    def _destroy(self, record_id: str) -> str:
        arguments = {"id": record_id}
        try:
            got = call_tool(
                self._bench.served, self._token, "delete_time_entry", arguments, timeout=LONGEST_CALL_S
            ).result
        except TimeoutError:
            return "hung"
        except (OSError, http.client.HTTPException):
            return "dropped"
        return str(error_in(got)["code"]) if got["isError"] else "done"


def hammer(bench: Bench) -> tuple[dict[str, str], int]:
    """What each call was told, by the id of its record, and how many processes were killed meanwhile."""
    stop, kills = threading.Event(), 0
    callers = [Caller(bench, stop) for _ in range(PROCESSES * CALLERS)]
    for caller in callers:
        caller.start()
    began = time.monotonic()
    while time.monotonic() < began + SECONDS:
        time.sleep(1)
        # The oldest has had the time to begin: it serves, with calls under way.
        os.kill(bench.served.worker_pids()[0], signal.SIGKILL)
        kills += 1
    stop.set()
    give_up_at = time.monotonic() + LONGEST_CALL_S + 5
    for caller in callers:
        caller.join(max(0.0, give_up_at - time.monotonic()))
    return {record_id: told for caller in callers for record_id, told in caller.told.items()}, kills


@contextmanager
def hammered_bench(folder: Path, upstream_url: str) -> Iterator[Bench]:
    url = f"sqlite:///{folder}/console.sqlite3"
    settings = {
        "HOURSMITH_API_URL": upstream_url,
        "LOG_LEVEL": "WARNING",
        # New processes are forked from one that has everything loaded, so that killed ones are soon replaced.
        "GUNICORN_CMD_ARGS": "--preload",
    }
    with served_console(folder, env=settings, database_url=url, workers=PROCESSES, static=False) as served:
        yield Bench(served, None, url)  # type: ignore[arg-type]


def test_processes_that_are_killed_under_load_leave_a_whole_record(tmp_path: Path) -> None:
    with counting() as hoursmith, hammered_bench(tmp_path, hoursmith.url) as bench:
        told, kills = hammer(bench)
        assert bench.served.stop() == 0, bench.served.output()[-2000:]
        executed = hoursmith.executed()
        rows = bench.rows("auditevent", "ORDER BY sequence")
        verdict = json.loads(bench.served.manage("audit_verify", "--json"))
    results = Counter(told.values())
    intents = Counter(row["target_id"] for row in rows if row["phase"] == "intent")
    outcomes = {row["target_id"]: row["result"] for row in rows if row["phase"] == "outcome"}
    unknown = set(intents) - set(outcomes)
    print(  # noqa: T201 - the figures of a run by hand
        f"\n{len(told)} calls {dict(results)}, {len(executed)} executed, {kills} kills,"
        f" {len(rows)} rows, {len(unknown)} outcomes unknown, of them {len(unknown & set(executed))} executed"
    )
    assert kills >= min(SECONDS / 2, 3)
    # Nothing deadlocks: each call was answered, or its line broke when its process was killed.
    assert results["hung"] == 0
    assert set(results) <= {"done", "dropped"}
    assert results["done"] > 5 * kills
    # Each call that Hoursmith carried out has its intent, and was carried out once.
    assert set(executed) <= set(intents)
    assert max(Counter(executed).values()) == max(intents.values()) == 1
    done = {record_id for record_id, what in told.items() if what == "done"}
    assert done <= set(executed)
    assert all(outcomes[record_id] == "succeeded" for record_id in done)
    # Only whoever lost the line in a kill may not know how it ended.
    assert all(told[record_id] == "dropped" for record_id in unknown)
    assert verdict["ok"], verdict["bad"]
    assert [chain["rows"] for chain in verdict["workspaces"]] == [len(rows)]
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
