"""New workers take over from old ones while calls come in: none fails, and none waits for an application to load."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.conftest import Bench, bench
from tests.faults.mcp import call_tool
from tests.faults.upstream import Gate, Hoursmith

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]


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


def test_no_call_fails_while_workers_are_replaced_one_by_one(tmp_path: Path, hoursmith: Hoursmith) -> None:
    with bench(tmp_path, hoursmith, workers=2) as running:
        old = running.served.worker_pids()
        gate, slow = Gate(hoursmith), hoursmith.mint()
        came: list[bool] = []

        def slowly() -> None:
            arguments = {"name": "Initech"}
            came.append(call_tool(running.served, slow, "create_client", arguments, timeout=60).status == 200)

        with steady_calls(running) as threads, hoursmith.failing("POST", gate):
            call = threading.Thread(target=slowly)
            call.start()
            assert gate.arrived.wait(20)
            os.kill(running.served.pid, signal.SIGHUP)
            # The old ones go on until the new ones serve.
            running.eventually(lambda: len(running.served.worker_pids()) == 4)
            running.eventually(lambda: running.served.output().count("ASGI server listening") == 4, seconds=90)
            gate.may_answer.set()
            running.eventually(lambda: not set(old) & set(running.served.worker_pids()), seconds=60)
            told = sum((thread.told for thread in threads), Counter())
            running.eventually(lambda: sum(sum(thread.told.values()) for thread in threads) > told.total() + 20)
            call.join(60)
        assert came == [True]
        told = sum((thread.told for thread in threads), Counter())
        assert set(told) == {"done"}, told
        log = running.served.output()
        assert log.index("Worker shutting down") > list(_places(log, "ASGI server listening"))[3]


def _places(text: str, what: str) -> Iterator[int]:
    place = text.find(what)
    while place >= 0:
        yield place
        place = text.find(what, place + 1)
