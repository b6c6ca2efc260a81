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
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.callers import make_callers
from bench.chains import measure_chains
from bench.conversation import Conversation
from bench.machine import cpu_s, description, settled_cpu_s
from bench.mcp_messages import MODERN
from bench.paths import RESULTS, ROOT
from bench.records import Records, read_records
from tests.balancer import balancer
from tests.postgres import Cluster, shared_cluster
from tests.servers import Served, beside, free_port, served_console
from tests.waiting import eventually

NODES = ((1, 1), (1, 2), (1, 4), (2, 4))
CALLERS = 32
WORKSPACES = 4
KINDS = {"get_client": 0, "delete_time_entry": 2}
_WARM_UP_S = 1.0
_IDLE_S = 3.0


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
        # A deletion that waits for the others is slow here, and not refused.
        env |= {"TRUSTED_PROXIES": "127.0.0.1", "AUDIT_WRITE_TIMEOUT_MS": "20000"}
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
        idle = {name: each - before[name] for name, each in _after(_IDLE_S, site).items()}
        before, began = site.cpu_s(settled=False), time.monotonic()
        load.say(str(seconds))
        seen = load.answer()
        after, took = site.cpu_s(settled=True), time.monotonic() - began
    finally:
        load.end()
    calls = int(seen["calls"])
    wanted = Records(calls, 0, KINDS[kind] * calls)
    eventually(
        lambda: read_records(site.database_url) - recorded == wanted,
        told=lambda: f"Recorded {read_records(site.database_url) - recorded}, but made {wanted}.",
    )
    # What the processes need when nothing is called is not a call's.
    used = {name: after[name] - before[name] - idle[name] * took / _IDLE_S for name in after}
    cpu_ms = {name: 1000 * max(0.0, each) / calls for name, each in used.items()}
    return {"kind": kind, **seen, "cpu_ms": cpu_ms, "idle_cores": sum(idle.values()) / _IDLE_S}


def _after(seconds: float, site: Site) -> dict[str, float]:
    time.sleep(seconds)
    return site.cpu_s(settled=False)


def _nodes(cluster: Cluster, seconds: float) -> list[dict[str, Any]]:
    print(
        "| Nodes × workers | | Calls/s | p50 ms | p99 | CPU ms a call: nodes | PostgreSQL | HAProxy | Hoursmith"
        " | Idle, % of a core |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    readings = []
    for nodes, workers in NODES:
        with _site(nodes, workers, cluster) as site:
            for kind, name in (("get_client", "reads"), ("delete_time_entry", "deletions")):
                seen = _measure(site, kind, seconds)
                readings.append({"nodes": nodes, "workers": workers, **seen})
                used = " | ".join(f"{seen['cpu_ms'][part]:.2f}" for part in site.parts)
                figures = f"{seen['per_second']:,.0f} | {seen['p50_ms']:.0f} | {seen['p99_ms']:.0f}"
                print(
                    f"| {nodes} × {workers} | {name} | {figures} | {used} | {100 * seen['idle_cores']:.0f} |",
                    flush=True,
                )
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
        kept["chains"] = measure_chains(cluster, arguments.seconds)
    print(
        f"{machine['cores']} cores of {machine['cpu']}, Python {machine['python']}, load {machine['load_before']}",
        end="",
    )
    print(f" at the start, {os.getloadavg()[0]:.2f} at the end.")
    path = RESULTS / f"scale-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
