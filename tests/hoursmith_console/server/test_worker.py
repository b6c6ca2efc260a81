"""The worker that the console is served by, under gunicorn, with an application that loads at once."""

import contextlib
import http.client
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gunicorn.arbiter import Arbiter

from tests.paths import ROOT
from tests.servers import free_port
from tests.waiting import eventually

WORKERS = 2
CONNECTIONS = 50
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
AMBIGUOUS = (
    b"Content-Length: 5\r\nContent-Length: 6",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Content-Length: +5",
    b"Content-Length : 5",
    b"X-Folded: a\r\n Content-Length: 5",
    b"X-Broken: a\nContent-Length: 5",
)
APPLICATION = "tests.hoursmith_console.server.short_idle_app:application"


class Running:
    """gunicorn with two workers."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.cannot_start = folder / "cannot-start"
        self.loads_slowly = folder / "loads-slowly"
        self.log = folder / "log"
        config = folder / "conf.py"
        config.write_text(
            "from hoursmith_console.server.reload import rolling_reload\n"
            "def on_reload(server):\n    rolling_reload.begin(server)\n"
            "def pre_fork(server, worker):\n    rolling_reload.assign(server, worker)\n"
            "def child_exit(server, worker):\n    rolling_reload.end_worker(server, worker)\n",
            encoding="ascii",
        )
        options = ["--worker-class=hoursmith_console.server.worker.Worker", f"--config={config}"]
        options += [f"--bind=127.0.0.1:{self.port}", f"--workers={WORKERS}", f"--worker-connections={CONNECTIONS}"]
        options += ["--asgi-lifespan=on", "--no-control-socket", "--keep-alive=5", "--graceful-timeout=20"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "gunicorn",
                    *options,
                    "tests.hoursmith_console.server.short_idle_app:application",
                ],
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "CANNOT_START": str(self.cannot_start),
                    "LOADS_SLOWLY": str(self.loads_slowly),
                },
                stdout=log,
                stderr=log,
                cwd=ROOT,
            )

    def answered_by(self) -> int | None:
        """The number of the worker that answers, if one does."""
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as answer,
        ):
            return int(answer.read())
        return None

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return [int(pid) for pid in children.split()]

    def loading(self) -> int:
        """Return how many workers load the application, and go on as long as `loads_slowly` is there."""
        return len(list(self.loads_slowly.iterdir()))

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def eventually(self, check: Callable[[], bool], seconds: float = 30) -> None:
        eventually(check, seconds, told=lambda: self.log.read_text(encoding="utf-8"))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """One for each test: they kill workers, reload them and leave connections behind."""
    served = Running(tmp_path)
    try:
        served.eventually(lambda: len({served.answered_by() for _ in range(20)} - {None}) == WORKERS)
        yield served
    finally:
        served.process.terminate()
        code = served.process.wait(timeout=30)
    # Three where it ends in the middle of a reload whose workers cannot start.
    assert code in (0, Arbiter.WORKER_BOOT_ERROR)


def test_a_connection_that_never_asks_is_closed_and_one_that_asked_may_ask_again(running: Running) -> None:
    with running.connected() as silent, running.connected() as asking:
        assert is_answered(asking)
        assert silent.recv(1) == b""
        assert is_answered(asking)


def test_a_connection_that_asks_a_byte_at_a_time_is_closed(running: Running) -> None:
    """Slow-loris: each byte comes well within any time limit for a byte, and the headers never end."""
    with running.connected() as slow, contextlib.suppress(ConnectionError):
        ask_slowly(slow)
    assert running.answered_by() is not None


def test_a_later_request_of_a_connection_has_no_more_time_than_the_first(running: Running) -> None:
    with running.connected() as slow, contextlib.suppress(ConnectionError):
        assert is_answered(slow)
        ask_slowly(slow)


def test_requests_before_one_that_is_slow_are_answered_and_before_a_broken_one_dropped_in_silence(
    running: Running,
) -> None:
    late = b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n"
    with running.connected() as slow, running.connected() as broken:
        broken.sendall(late + GET + b"GET / HTTP/9.1\r\n\r\n")
        slow.sendall(late + GET + b"GET / HTT")
        answers = b"".join(iter(lambda: slow.recv(1000), b""))
        assert (answers.count(b"HTTP/1.1 200"), answers.count(b"connection: close")) == (2, 1)
        with contextlib.suppress(ConnectionResetError):
            assert broken.recv(1000) == b""
    # The late response to the broken connection was due first.
    assert running.answered_by() is not None
    assert "Traceback" not in running.log.read_text(encoding="utf-8")


def is_answered(connection: socket.socket) -> bool:
    """Ask for the worker's number, and return whether all of the response comes."""
    connection.sendall(GET)
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status == 200 and answer.read().isdigit()


def ask_slowly(connection: socket.socket) -> None:
    """Send headers a byte at a time, until the connection ends."""
    began = time.monotonic()
    for byte in b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"x" * 1000:
        connection.send(bytes([byte]))
        time.sleep(0.05)
        assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"x" * 5_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 9_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Many: 1\r\n" * 100 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + (b"X-Long: " + b"x" * 8_000 + b"\r\n") * 9 + b"\r\n", b"431"),
        (b"GET / HTTP/9.1\r\nHost: x\r\n\r\n", b"400"),
    ],
    ids=["target", "header", "headers", "all headers", "version"],
)
def test_a_head_that_is_too_large_is_refused_and_its_connection_closed(
    running: Running, head: bytes, status: bytes
) -> None:
    with running.connected() as connection:
        connection.sendall(head)
        answer = b"".join(iter(lambda: connection.recv(1000), b""))
    assert answer.startswith(b"HTTP/1.1 " + status + b" ")
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGQUIT])
def test_a_stop_at_once_waits_for_no_connection(running: Running, sent: signal.Signals) -> None:
    with running.connected() as busy:
        busy.sendall(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
        running.process.send_signal(sent)
        assert running.process.wait(timeout=10) == 0
    log = running.log.read_text(encoding="utf-8")
    assert "SIGKILL" not in log
    # What the application has yet to write is not lost.
    assert log.count("The application has done its shutdown.") == WORKERS


def test_workers_end_with_a_master_that_is_killed(running: Running) -> None:
    workers = running.workers()
    running.process.kill()
    running.process.wait(timeout=10)
    running.eventually(lambda: not any(is_running(pid) for pid in workers))
    # The fixture ends a master that is left.
    running.process.returncode = 0


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_client_that_reads_nothing_is_cut_off_and_one_that_reads_slowly_is_not(running: Running) -> None:
    with running.connected() as deaf, running.connected() as slow:
        for each in (deaf, slow):
            each.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        # It takes longer than the limit for all of it, and never that long for a part.
        assert read_from(slow, pause_s=0.02) > 20_000_000
        # What was on its way is all that it gets.
        assert read_from(deaf, pause_s=0) < 20_000_000


def read_from(connection: socket.socket, *, pause_s: float) -> int:
    """Return how many bytes come until the connection ends, or until all have come."""
    read = 0
    with contextlib.suppress(ConnectionError):
        while read < 20_000_000 and (part := connection.recv(500_000)):
            read += len(part)
            time.sleep(pause_s)
    return read


def test_a_request_that_could_hide_another_is_refused(running: Running) -> None:
    for ambiguous in AMBIGUOUS:
        with running.connected() as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + ambiguous + b"\r\n\r\n0\r\n\r\n" + GET)
            answer = b""
            while part := connection.recv(10_000):
                answer += part
            assert (answer.split(b" ")[1], answer.count(b"HTTP/1.1")) == (b"400", 1), ambiguous


def test_white_space_around_a_value_is_no_part_of_it(running: Running) -> None:
    with running.connected() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Echo: \t a b \t \r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.read() == b"a b"


def test_the_oldest_idle_connection_makes_room_for_a_new_one(running: Running) -> None:
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(running.connected()) for _ in range(WORKERS * CONNECTIONS + 20)]
        closed: list[socket.socket] = []

        def some_closed() -> bool:
            closed[:] = select.select(opened, [], [], 0)[0]
            return bool(closed)

        running.eventually(some_closed)
        # At once, and not when the time of all of them is over. Which worker has how many is chance.
        assert len(closed) < len(opened)
        assert opened[-1] not in closed
        assert all(each.recv(1) == b"" for each in closed)
        assert running.answered_by() is not None


def test_a_worker_that_cannot_start_is_tried_again_and_ends_no_other(running: Running) -> None:
    living, killed = running.workers()
    running.cannot_start.touch()
    os.kill(killed, signal.SIGKILL)
    running.eventually(lambda: "another one will be tried" in running.log.read_text(encoding="utf-8"))
    assert {running.answered_by() for _ in range(10)} == {living}
    running.cannot_start.unlink()
    running.eventually(lambda: {running.answered_by() for _ in range(10)} > {living})


def test_a_reload_to_what_cannot_start_leaves_the_old_workers_at_work(running: Running) -> None:
    old = set(running.workers())
    running.cannot_start.touch()
    before = running.log.read_text(encoding="utf-8").count("another one will be tried")
    os.kill(running.process.pid, signal.SIGHUP)
    running.eventually(
        lambda: running.log.read_text(encoding="utf-8").count("another one will be tried") >= before + WORKERS
    )
    assert {running.answered_by() for _ in range(10)} <= old
    running.cannot_start.unlink()


def test_the_new_workers_of_a_reload_replace_all_old_ones(running: Running) -> None:
    old = set(running.workers())
    os.kill(running.process.pid, signal.SIGHUP)
    running.eventually(lambda: len(running.workers()) == WORKERS and not old & set(running.workers()))
    assert all_answer(running) == set(running.workers())


def test_a_reload_during_a_reload_replaces_the_workers_of_both(running: Running) -> None:
    running.loads_slowly.mkdir()
    for count in (1, 2):
        os.kill(running.process.pid, signal.SIGHUP)
        running.eventually(lambda count=count: running.loading() == count * WORKERS)
    before = set(running.workers())
    assert running.answered_by() in before
    newest = set(sorted(before)[-WORKERS:])
    running.loads_slowly.rename(running.loads_slowly.with_name("loads"))
    running.eventually(lambda: set(running.workers()) == newest)
    assert all_answer(running) == newest


def all_answer(running: Running) -> set[int | None]:
    """Ask until as many workers have answered as there should be; which one answers is chance."""
    answered: set[int | None] = set()

    def more() -> bool:
        answered.add(running.answered_by())
        return len(answered) >= WORKERS

    running.eventually(more)
    return answered


def test_a_stop_is_heard_while_the_new_workers_of_a_reload_load(running: Running) -> None:
    old = set(running.workers())
    running.loads_slowly.mkdir()
    os.kill(running.process.pid, signal.SIGHUP)
    running.eventually(lambda: running.loading() == WORKERS)
    assert running.answered_by() in old
    running.process.terminate()
    assert running.process.wait(timeout=30) == 0
    log = running.log.read_text(encoding="utf-8")
    # The old ones ended by stages, the new ones without having loaded, and none was killed.
    assert log.count("Worker shutting down") == WORKERS
    assert log.count("was sent SIGTERM") == WORKERS
    assert "SIGKILL" not in log
