"""How many deletions a second a workspace can have: processes that write audit entries, and what holds them up."""

import json
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg

from bench.conversation import Conversation
from bench.machine import cpu_s
from bench.paths import RESULTS
from tests.postgres import Cluster
from tests.prepared import EMPTY, console_environment

# Workspaces and processes.
CHAINS = ((1, 1), (1, 2), (1, 4), (4, 1), (4, 2), (4, 4))
_WARM_UP_S = 1.0
# How often the database is asked who holds and who waits for a chain.
_SAMPLE_S = 0.01
# Each session that holds the lock of a chain or waits for it, which the writers take in their transactions.
_SESSIONS = """
SELECT a.state, COALESCE(a.wait_event_type, ''), COALESCE(a.wait_event, ''), bool_and(l.granted)
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
GROUP BY a.pid, a.state, a.wait_event_type, a.wait_event
"""


class Holders(threading.Thread):
    """Asks the database again and again what those do that hold a chain, and how many wait for one."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._is_over = threading.Event()
        self.seen: Counter[str] = Counter()
        self.samples = 0

    def run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._is_over.wait(_SAMPLE_S):
                self.samples += 1
                self.seen.update(_doing(*row) for row in connection.execute(_SESSIONS))

    def end(self) -> dict[str, float]:
        """How many at a time did what."""
        self._is_over.set()
        self.join()
        return {what: self.seen[what] / self.samples for what in ("computes", "queries", "flushes", "waits")}


def _doing(state: str, kind: str, event: str, is_granted: bool) -> str:
    if not is_granted:
        return "waits"
    if state.startswith("idle in transaction"):
        return "computes"
    return "flushes" if event.startswith("WAL") or kind == "IO" else "queries"


def _chain(cluster: Cluster, folder: Path, workspaces: int, processes: int, seconds: float) -> dict[str, Any]:
    url = cluster.create_database("chains", template=EMPTY)
    environment = console_environment(folder, 0, 1, {"LOG_LEVEL": "ERROR"}, url)
    writers = [Conversation("bench.chain_writer", environment=environment) for _ in range(processes)]
    try:
        for writer in writers:
            writer.say(json.dumps([f"workspace-{number}" for number in range(workspaces)]))
        for writer in writers:
            writer.answer()
        _write_all(writers, _WARM_UP_S)
        holders, before = Holders(url), cpu_s(cluster.pid)
        holders.start()
        told = _write_all(writers, seconds)
        held, used = holders.end(), cpu_s(cluster.pid) - before
    finally:
        for writer in writers:
            writer.end()
    deletions = sum(each["deletions"] for each in told)
    return {
        "workspaces": workspaces,
        "processes": processes,
        "per_second": deletions / max(each["took_s"] for each in told),
        "process_ms": 1000 * sum(each["cpu_s"] for each in told) / deletions,
        "postgresql_ms": 1000 * used / deletions,
        "held": held,
    }


def _write_all(writers: list[Conversation], seconds: float) -> list[dict[str, Any]]:
    for writer in writers:
        writer.say(str(seconds))
    return [writer.answer() for writer in writers]


def measure_chains(cluster: Cluster, seconds: float) -> list[dict[str, Any]]:
    """Print a table with a line for each of `CHAINS`, and return what it shows."""
    print("| Workspaces | Processes | Deletions/s | CPU ms a deletion: processes | PostgreSQL |", end="")
    print(" Holders at a time: computing | querying | flushing | Waiting |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    readings = []
    for workspaces, processes in CHAINS:
        with tempfile.TemporaryDirectory(dir=RESULTS, prefix="chains-") as folder:
            seen = _chain(cluster, Path(folder), workspaces, processes, seconds)
        readings.append(seen)
        held = " | ".join(f"{each:.2f}" for each in seen["held"].values())
        figures = f"{seen['per_second']:,.0f} | {seen['process_ms']:.2f} | {seen['postgresql_ms']:.2f}"
        print(f"| {workspaces} | {processes} | {figures} | {held} |", flush=True)
    return readings
