"""What a worker and a node add, and how many deletions a second a workspace can have: PostgreSQL, behind HAProxy.

.venv/bin/python -m bench.scale            # about four minutes
.venv/bin/python -m bench.scale --only nodes --seconds 10

`nodes` serves one node with 1, 2 and 4 workers and two nodes with 4 each, and reads and deletes through HAProxy with 32
callers in four workspaces. Where everything shares a few cores, calls a second say little; the CPU time of a call says,
component by component, how much of a core each needs. `chains` lets 1, 2 and 4 processes write audit entries into one
workspace and into four, without any HTTP, and says what the holder of a chain does: it is one at a time for each
workspace.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench.callers import make_callers
from bench.machine import cpu_s, description, settled_cpu_s
from bench.mcp_messages import MODERN
from bench.paths import RESULTS, ROOT
from bench.records import Records, read_records
from tests.balancer import balancer
from tests.postgres import Cluster, shared_cluster
from tests.prepared import EMPTY, console_environment
from tests.servers import Served, beside, free_port, served_console
from tests.waiting import eventually

NODES = ((1, 1), (1, 2), (1, 4), (2, 4))
CHAINS = ((1, 1), (1, 2), (1, 4), (4, 1), (4, 2), (4, 4))
CALLERS = 32
WORKSPACES = 4
KINDS = {"get_client": 0, "delete_time_entry": 2}
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


class Conversation:
    """A process that answers each line of JSON or text with a line of JSON."""

    def __init__(self, *command: str, environment: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self.pid = self._process.pid

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """The next answer; ends the bench where the process gave up, which it has said on standard error."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit("The process ended.")
        found: dict[str, Any] = json.loads(line)
        return found

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


@dataclass(frozen=True)
class Site:
    """Nodes behind a balancer. `parts` are the components and their processes."""

    entrance: int
    parts: dict[str, list[int]]
    database_url: str

    def cpu_s(self, *, settled: bool) -> dict[str, float]:
        """The CPU time that each component has used; with `settled`, once the nodes have written everything."""
        if settled:
            for pid in self.parts["nodes"]:
                settled_cpu_s(pid)
        return {name: sum(map(cpu_s, pids)) for name, pids in self.parts.items()}


@contextmanager
def _site(nodes: int, workers: int, cluster: Cluster) -> Iterator[Site]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=RESULTS, prefix="scale-")))
        upstream = free_port()
        command = [sys.executable, "-m", "bench.upstream", "--port", str(upstream), "--workspaces", str(WORKSPACES)]
        process = subprocess.Popen(command, cwd=ROOT)
        stack.callback(process.wait, 10)
        stack.callback(process.terminate)
        url = cluster.create_database("scale")
        env = {"HOURSMITH_API_URL": f"http://127.0.0.1:{upstream}/api/v1", "LOG_LEVEL": "WARNING"}
        env["TRUSTED_PROXIES"] = "127.0.0.1"
        first = stack.enter_context(
            served_console(
                folder / "a", env=env, database_url=url, workers=workers, seed=False, static=False, may_fork=False
            )
        )
        served = {"a": first}
        if nodes == 2:
            served["b"] = stack.enter_context(beside(first, folder / "b", workers=workers, static=False))
        port = free_port()
        addresses = {name: f"127.0.0.1:{node.port}" for name, node in served.items()}
        haproxy = stack.enter_context(balancer(folder, at=f"127.0.0.1:{port}", nodes=addresses))
        eventually(lambda: _is_ready(Served(folder, port, {}, 0)), 60)
        parts = {
            "nodes": [node.pid for node in served.values()],
            "PostgreSQL": [cluster.pid],
            "HAProxy": [haproxy],
            "Hoursmith": [process.pid],
        }
        yield Site(port, parts, url)


def _is_ready(entrance: Served) -> bool:
    import httpx

    try:
        return httpx.get(f"{entrance.url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _measure(site: Site, kind: str, seconds: float) -> dict[str, Any]:
    """One reading: calls a second, latency, and each component's CPU time for a call, in ms."""
    callers = [caller.as_json() for caller in make_callers(CALLERS)]
    job = {"port": site.entrance, "kind": kind, "version": MODERN, "callers": callers, "lines": CALLERS}
    load = Conversation("bench.load")
    try:
        load.say(json.dumps(job))
        load.say(str(_WARM_UP_S))
        load.answer()
        before, recorded = site.cpu_s(settled=True), read_records(site.database_url)
        load.say(str(seconds))
        seen = load.answer()
        after = site.cpu_s(settled=True)
    finally:
        load.end()
    calls = int(seen["calls"])
    wanted = Records(calls, 0, KINDS[kind] * calls)
    eventually(
        lambda: read_records(site.database_url) - recorded == wanted,
        told=lambda: f"Recorded {read_records(site.database_url) - recorded}, but made {wanted}.",
    )
    used = {name: 1000 * (after[name] - before[name]) / calls for name in after}
    return {"kind": kind, **seen, "cpu_ms": used}


def _nodes(cluster: Cluster, seconds: float) -> list[dict[str, Any]]:
    print("| Nodes × workers | | Calls/s | p50 ms | p99 | CPU ms a call: nodes | PostgreSQL | HAProxy | Hoursmith |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    readings = []
    for nodes, workers in NODES:
        with _site(nodes, workers, cluster) as site:
            for kind, name in (("get_client", "reads"), ("delete_time_entry", "deletions")):
                seen = _measure(site, kind, seconds)
                readings.append({"nodes": nodes, "workers": workers, **seen})
                used = " | ".join(f"{seen['cpu_ms'][part]:.2f}" for part in site.parts)
                figures = f"{seen['per_second']:,.0f} | {seen['p50_ms']:.0f} | {seen['p99_ms']:.0f}"
                print(f"| {nodes} × {workers} | {name} | {figures} | {used} |", flush=True)
    return readings


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


def _chains(cluster: Cluster, seconds: float) -> list[dict[str, Any]]:
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


def _needed(is_there: bool, reason: str) -> None:
    if not is_there:
        sys.exit(reason)


def main() -> None:
    """Measure what was asked for, print it as tables and keep it in var/bench/."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["nodes", "chains"], help="one of the two")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of one reading (6)")
    arguments, machine = parser.parse_args(), description()
    kept: dict[str, Any] = {"machine": machine}
    RESULTS.mkdir(parents=True, exist_ok=True)
    cluster = shared_cluster(_needed)
    if arguments.only != "chains":
        kept["nodes"] = _nodes(cluster, arguments.seconds)
    if arguments.only != "nodes":
        kept["chains"] = _chains(cluster, arguments.seconds)
    print(
        f"{machine['cores']} cores of {machine['cpu']}, Python {machine['python']}, load {machine['load_before']}",
        end="",
    )
    print(f" at the start, {os.getloadavg()[0]:.2f} at the end.")
    path = RESULTS / f"scale-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
