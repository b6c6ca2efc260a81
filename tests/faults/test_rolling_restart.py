"""New workers take over from old ones while calls come in: none fails, and none waits for an application to load."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.faults.conftest import Bench
from tests.faults.mcp import call_tool
from tests.faults.upstream import Gate


class Steady(threading.Thread):
    """Reads and deletes without a pause, each call on a line of its own, and keeps what it was told."""

    def __init__(self, running: Bench, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._running = running
        self._is_over = stop
        self._token = running.hoursmith.mint()
        self.told: Counter[str] = Counter()

    def run(self) -> None:
        while not self._is_over.is_set():
            for tool, arguments in (
                ("list_clients", {}),
                ("delete_client", {"id": self._running.hoursmith.record_for("delete_client")}),
            ):
                try:
                    got = call_tool(self._running.served, self._token, tool, arguments, timeout=60)
                    self.told["failed" if got.result["isError"] else "done"] += 1
                except Exception as error:
                    self.told[repr(error)] += 1


@contextmanager
def steady_calls(running: Bench, callers: int = 4) -> Iterator[list[Steady]]:
    stop = threading.Event()
    threads = [Steady(running, stop) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def test_no_call_fails_while_new_workers_take_over(sqlite_bench: Bench) -> None:
    hoursmith, served = sqlite_bench.hoursmith, sqlite_bench.served
    gate, slow, (old,) = Gate(hoursmith), hoursmith.mint(), served.worker_pids()
    before = len(served.output())

    def happened(what: str) -> int:
        return served.output()[before:].find(what)

    with steady_calls(sqlite_bench) as threads, ThreadPoolExecutor(1) as pool:
        with hoursmith.failing("POST", gate):
            under_way = pool.submit(call_tool, served, slow, "create_client", {"name": "Initech"}, timeout=90)
            assert gate.arrived.wait(20)
            os.kill(served.pid, signal.SIGHUP)
            # The old one goes on until the new one serves.
            sqlite_bench.eventually(lambda: len(served.worker_pids()) == 2)
            sqlite_bench.eventually(lambda: happened("Worker listening") > 0, seconds=90)
        sqlite_bench.eventually(lambda: happened("Worker shutting down") > 0)
        gate.may_answer.set()
        assert under_way.result(90).status == 200
        sqlite_bench.eventually(lambda: old not in served.worker_pids(), seconds=60)
        so_far = told_to(threads).total()
        sqlite_bench.eventually(lambda: told_to(threads).total() > so_far + 20)
    assert set(told_to(threads)) == {"done"}
    assert happened("Worker shutting down") > happened("Worker listening")


def told_to(threads: list[Steady]) -> Counter[str]:
    """What all of them were told so far."""
    return sum((thread.told for thread in threads), Counter())
