"""More lines than anybody needs: idle, oversized. Who reads meanwhile is served, and all of it goes again."""

import contextlib
import http.client
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.conftest import Bench
from tests.faults.mcp import call_tool

IDLE_LINES = 10_000
# Files that this process needs besides.
OTHER_FILES = 500


def connected(bench: Bench) -> socket.socket:
    return socket.create_connection(("127.0.0.1", bench.served.port), timeout=20)


def files_of(bench: Bench) -> int:
    """How many files and lines the worker has open."""
    (worker,) = bench.served.worker_pids()
    return len(list(Path(f"/proc/{worker}/fd").iterdir()))


def resident_mb(bench: Bench) -> float:
    (worker,) = bench.served.worker_pids()
    return int(Path(f"/proc/{worker}/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize() / 1e6


@pytest.fixture
def many_files() -> Iterator[int]:
    """How many lines this process may open: 10,000, or fewer where the machine's limit is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE_LINES + OTHER_FILES
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
    try:
        yield allowed - OTHER_FILES
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_ten_thousand_idle_lines_stop_nobody_and_give_their_memory_back(sqlite_bench: Bench, many_files: int) -> None:
    token = sqlite_bench.hoursmith.mint()
    assert call_tool(sqlite_bench.served, token, "list_clients").result["isError"] is False
    files, memory = files_of(sqlite_bench), []
    for lines in (many_files, many_files // 2):
        with contextlib.ExitStack() as stack:
            for number in range(lines):
                stack.enter_context(connected(sqlite_bench))
                if number % 1000 == 0:
                    assert call_tool(sqlite_bench.served, token, "list_clients").result["isError"] is False
            assert call_tool(sqlite_bench.served, token, "get_me").result["isError"] is False
            # The oldest gave way to the newest: neither the worker nor the machine runs out of files.
            assert files_of(sqlite_bench) < files + 4_100
        sqlite_bench.eventually(lambda: files_of(sqlite_bench) <= files + 20)
        memory.append(resident_mb(sqlite_bench))
    # What the first ones took serves the second.
    assert memory[1] - memory[0] < 10


def test_a_kept_connection_is_still_open_when_its_client_gives_it_up(sqlite_bench: Bench) -> None:
    kept_s = httpx.Limits().keepalive_expiry
    assert kept_s is not None
    connection = http.client.HTTPConnection("127.0.0.1", sqlite_bench.served.port, timeout=20)
    with contextlib.closing(connection):
        line = None
        for pause_s in (0, kept_s + 0.5):
            time.sleep(pause_s)
            connection.request("GET", "/healthz")
            assert connection.getresponse().read()
            # Not a new one.
            assert connection.sock is (line or connection.sock)
            line = connection.sock


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"414"),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n", b"431"),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-Many: 1\r\n" * 5_000 + b"\r\n", b"431"),
        (b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 2_000_000, b"4"),
    ],
    ids=["first line", "a header", "headers", "body"],
)
def test_what_is_oversized_is_refused_and_its_line_ended(sqlite_bench: Bench, request_: bytes, status: bytes) -> None:
    before = resident_mb(sqlite_bench)
    with connected(sqlite_bench) as line:
        with contextlib.suppress(ConnectionError):
            line.sendall(request_)
        with contextlib.suppress(ConnectionError):
            answer = line.recv(100)
            # Ended while it was still being sent, it may lose its answer.
            assert answer == b"" or answer.startswith(b"HTTP/1.1 " + status)
    assert resident_mb(sqlite_bench) - before < 20
    assert call_tool(sqlite_bench.served, sqlite_bench.hoursmith.mint(), "get_me").result["isError"] is False
