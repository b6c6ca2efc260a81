"""The operator's drills: each fault once, with callers meanwhile, and what they, an admin and monitoring saw.

.venv/bin/python -m bench.drills            # all, about five minutes
.venv/bin/python -m bench.drills --only restore

Each begins with a console of its own, with two workers on PostgreSQL, and ends with a look at what is left: is each
deletion in the audit log, does it verify, is each answered call in the activity or counted as lost?
"""

import argparse
import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg

from bench.paths import RESULTS
from tests.faults.conftest import Bench
from tests.faults.conftest import bench as console
from tests.faults.disks import SmallDisk, small_disk
from tests.faults.mcp import call_tool
from tests.faults.test_clock import BACK, Clock
from tests.faults.upstream import Hoursmith, serving
from tests.postgres import Cluster, shared_cluster
from tests.waiting import eventually

DOWN_S = 30.0
SHORT_S = 8.0
SETTLED_S = 40.0
CALLERS = 4
PAUSE_S = 0.15
_SAMPLE = re.compile(
    r"^(hoursmith_(?:database_up|audit_anchor_fault|restrictions_known|activity_waiting|activity_lost_total"
    r"|unrecorded_refusals_total|unattributed_calls_total|refused_without_restrictions_total"
    r"|audit_outcomes_lost_total|audit_unsettled_calls)) (\S+)$",
    re.MULTILINE,
)


class Callers:
    """Callers that read and delete in turns until the end of the block, and monitoring that looks every second."""

    def __init__(self, running: Bench) -> None:
        self._running = running
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(CALLERS)]
        self._threads.append(threading.Thread(target=self._look))
        self._lock = threading.Lock()
        self.reads: Counter[str] = Counter()
        self.deletions: dict[str, str] = {}
        self.metrics: dict[str, set[float]] = {}
        self.ready: Counter[str] = Counter()

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(90)

    def _call(self) -> None:
        token = self._running.hoursmith.mint()
        while not self._is_over.wait(PAUSE_S):
            ending = self._ending(token, "list_clients", {})
            record_id = self._running.hoursmith.record_for("delete_client")
            deleted = self._ending(token, "delete_client", {"id": record_id})
            with self._lock:
                self.reads[ending] += 1
                self.deletions[record_id] = deleted

    def _ending(self, token: str, tool: str, arguments: dict[str, Any]) -> str:
        try:
            answer = call_tool(self._running.served, token, tool, arguments, timeout=60)
        except OSError as error:
            return "refused connection" if isinstance(error, ConnectionRefusedError) else "broken connection"
        except Exception as error:
            return type(error).__name__
        if answer.status != 200:
            return f"HTTP {answer.status}"
        return str(answer.error["code"]) if answer.result["isError"] else "done"

    def _look(self) -> None:
        url = self._running.served.url
        while not self._is_over.wait(1.0):
            try:
                for name, value in _SAMPLE.findall(httpx.get(f"{url}/metrics", timeout=10).text):
                    self.metrics.setdefault(name, set()).add(float(value))
                found = httpx.get(f"{url}/readyz", timeout=10)
                about = sorted(set(found.json()) - {"status"})
                self.ready[f"{found.status_code} {','.join(about)}".strip()] += 1
            except (httpx.HTTPError, ValueError):
                self.ready["no answer"] += 1

    @property
    def answered(self) -> int:
        told = self.reads + Counter(self.deletions.values())
        return sum(n for how, n in told.items() if "connection" not in how and not how.startswith(("HTTP", "Remote")))


class Site:
    """What a drill has: the cluster, the console, the Hoursmith behind it, and the disk that its database is on."""

    def __init__(self, running: Bench, cluster: Cluster, disk: SmallDisk, clock: Clock | None) -> None:
        self.running, self.cluster, self.disk, self.clock = running, cluster, disk, clock
        self.served, self.hoursmith = running.served, running.hoursmith


def _database_down(site: Site) -> None:
    site.cluster.stop()
    time.sleep(DOWN_S)
    site.cluster.start()


def _database_down_at_start(site: Site) -> None:
    site.served.stop()
    site.cluster.stop()
    site.served.start()
    time.sleep(SHORT_S)
    site.cluster.start()


def _database_down_at_reload(site: Site) -> None:
    before = set(site.served.worker_pids())
    site.cluster.stop()
    os.kill(site.served.pid, signal.SIGHUP)
    eventually(lambda: not before & set(site.served.worker_pids()), 120)
    time.sleep(SHORT_S)
    site.cluster.start()


def _disk_full(site: Site) -> None:
    site.disk.fill()
    time.sleep(SHORT_S)
    site.disk.empty()


def _killed(site: Site) -> None:
    site.served.kill()
    site.served.start()


def _restored(site: Site) -> None:
    dump = site.cluster.dump("drill")
    time.sleep(SHORT_S)
    site.served.stop()
    site.cluster.restore("drill", dump)
    site.served.start()
    time.sleep(SHORT_S)
    site.served.manage("audit_accept_restore", "--reason", "a drill")


def _clock_back(site: Site) -> None:
    assert site.clock is not None
    site.clock.turn(-BACK)
    time.sleep(SHORT_S)
    site.clock.turn(BACK - BACK)


def _hoursmith_down_and_fresh_workers(site: Site) -> None:
    with site.hoursmith.down():
        site.served.kill()
        site.served.start()
        time.sleep(SHORT_S)


DRILLS: dict[str, Callable[[Site], None]] = {
    "database down": _database_down,
    "database down at start": _database_down_at_start,
    "database down at reload": _database_down_at_reload,
    "disk full": _disk_full,
    "kill -9": _killed,
    "restore": _restored,
    "clock": _clock_back,
    "Hoursmith down, fresh workers": _hoursmith_down_and_fresh_workers,
}


@contextmanager
def _site(name: str, folder: Path, hoursmith: Hoursmith, cluster: Cluster) -> Iterator[Site]:
    # The server runs as another user, who may not enter folders of this one.
    place = Path(tempfile.mkdtemp(prefix="console-drill-"))
    place.chmod(0o755)
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    with small_disk(place / "disk", megabytes=96, owner=cluster.owner) as disk:
        on_disk = disk.path if name == "disk full" else None
        url = cluster.create_database("drill", on_disk=on_disk)
        clock = Clock(libraries[0], folder / "clock") if name == "clock" else None
        more = clock.environment if clock else {}
        try:
            with console(folder, hoursmith, database_url=url, workers=2, LOG_LEVEL="WARNING", **more) as running:
                yield Site(running, cluster, disk, clock)
        finally:
            if on_disk:
                cluster.drop_database("drill")
            else:
                cluster.execute('DROP DATABASE "drill" WITH (FORCE)')


def _run(name: str, folder: Path, hoursmith: Hoursmith, cluster: Cluster) -> dict[str, Any]:
    hoursmith.seen.clear()
    with _site(name, folder, hoursmith, cluster) as site:
        with Callers(site.running) as callers:
            time.sleep(4)
            DRILLS[name](site)
            # Until deletions are made again.
            done = Counter(callers.deletions.values())["done"]
            eventually(lambda: Counter(callers.deletions.values())["done"] > done + CALLERS, 90)
        return {"drill": name, **_left(site, callers)}


def _left(site: Site, callers: Callers) -> dict[str, Any]:
    """What the callers, the admin and monitoring saw, and what is missing."""

    def number(question: str) -> int:
        ((value,),) = _rows(site, question)
        return int(value)

    def missing() -> int:
        kept = number("SELECT COUNT(*) FROM mcpbridge_toolcall")
        return callers.answered - kept - number("SELECT COALESCE(SUM(calls), 0) FROM mcpbridge_activityloss")

    until = time.monotonic() + SETTLED_S
    while missing() > 0 and time.monotonic() < until:
        time.sleep(0.5)
    sent = Counter(seen.path.rsplit("/", 1)[1] for seen in site.hoursmith.changes)
    phases = "SELECT target_id, phase, result FROM mcpbridge_auditevent WHERE kind = 'destructive'"
    rows = _rows(site, phases)
    intents = {target for target, phase, _ in rows if phase == "intent"}
    ended = {target for target, phase, _ in rows if phase == "outcome"}
    verdict = json.loads(site.served.manage("audit_verify", "--json", check=False))
    return {
        "reads": dict(callers.reads),
        "deletions": dict(Counter(callers.deletions.values())),
        "readyz": dict(callers.ready),
        "metrics": {name: [min(seen), max(seen)] for name, seen in sorted(callers.metrics.items()) if len(seen) > 1},
        "deletions sent": len(sent),
        "sent twice": sum(count > 1 for count in sent.values()),
        "sent without an entry": len(set(sent) - intents),
        "outcomes unknown": len(intents - ended),
        "verifies": verdict["ok"],
        "calls answered": callers.answered,
        "activity lost and counted": number("SELECT COALESCE(SUM(calls), 0) FROM mcpbridge_activityloss"),
        "activity lost and not counted": max(0, missing()),
    }


def _rows(site: Site, question: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(site.running.database_url) as connection:
        return connection.execute(question.encode()).fetchall()


def _needed(is_there: bool, reason: str) -> None:
    if not is_there:
        sys.exit(reason)


def main() -> int:
    """Run the drills, print what each showed and keep it in var/bench/; 1 where something is missing or wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", choices=DRILLS, nargs="+", default=list(DRILLS), metavar="DRILL", help=", ".join(DRILLS)
    )
    arguments = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    found, cluster = [], shared_cluster(_needed)
    with serving() as hoursmith:
        for name in arguments.only:
            with tempfile.TemporaryDirectory(dir=RESULTS, prefix="drill-") as folder:
                found.append(_run(name, Path(folder), hoursmith, cluster))
            print("\n".join(f"{what}: {seen}" for what, seen in found[-1].items()), end="\n\n", flush=True)
    path = RESULTS / f"drills-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    is_well = all(each["verifies"] and not each["sent twice"] for each in found)
    # What a restored backup does not have, it says.
    is_whole = all(not each["sent without an entry"] for each in found if each["drill"] != "restore")
    return 0 if is_well and is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
