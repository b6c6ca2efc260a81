"""No documented proxy sends a request twice, or on a connection that is about to be closed; none gives up too early."""

import re
import socketserver
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from mcpbridge.calls.approvals.policy import MAX_HOLD_S
from tests.faults.mcp import post
from tests.faults.proxies.conftest import Front, in_front_of
from tests.faults.proxies.programs import FOLDER, PROXIES
from tests.servers import gunicorn_number
from tests.waiting import eventually

# How long each waits for an answer, and keeps a connection to the console that is not used (nothing: it keeps none).
WAITS = {"nginx.conf": r"proxy_read_timeout (\d+)s", "Caddyfile": r"response_header_timeout (\d+)s"}
KEEPS = {"nginx.conf": r"keepalive_timeout (\d+)s", "Caddyfile": r"keepalive (\d+)s"}


class Console(socketserver.ThreadingTCPServer):
    """Stands for a console that ends a connection instead of answering a POST, if it `drops`; counts the requests."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        # What was asked for on connections that are over.
        self.ended: set[str] = set()
        self.drops = False
        super().__init__(("127.0.0.1", 0), _Connection)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


class _Connection(socketserver.StreamRequestHandler):
    server: Console

    def handle(self) -> None:
        asked: set[str] = set()
        with suppress(OSError):
            while first := self.rfile.readline().decode():
                length, line = 0, b"."
                while line.strip():
                    line = self.rfile.readline()
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                self.rfile.read(length)
                asked.add(" ".join(first.split()[:2]))
                self.server.asked[" ".join(first.split()[:2])] += 1
                if self.server.drops and first.startswith("POST"):
                    return
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok")
        self.server.ended |= asked


@pytest.fixture(scope="module")
def stand_in() -> Iterator[Console]:
    with Console() as console:
        yield console
        console.shutdown()


@pytest.fixture(scope="module")
def before_stand_in(
    stand_in: Console, tmp_path_factory: pytest.TempPathFactory, needs: Callable[[bool, str], None]
) -> Iterator[dict[str, Front]]:
    port = int(stand_in.server_address[1])
    with in_front_of(port, tmp_path_factory.mktemp("stand-in") / "fronts", needs) as fronts:
        yield fronts


@pytest.mark.parametrize("name", sorted(PROXIES))
def test_what_was_sent_and_not_answered_is_not_sent_again(
    name: str, stand_in: Console, before_stand_in: dict[str, Front]
) -> None:
    front = before_stand_in[name]
    # The second one goes over the connection of the first where the proxy keeps it.
    for number, drops in enumerate((False, True)):
        stand_in.drops = drops
        answer = post(front, {}, path=f"/{name}-{number}", headers={"Idempotency-Key": "of-the-caller"})
        assert (answer.status, stand_in.asked[f"POST /{name}-{number}"]) == (502 if drops else 200, 1)


@pytest.mark.parametrize("name", sorted(PROXIES))
def test_an_unused_connection_is_ended_by_the_proxy(
    name: str, stand_in: Console, before_stand_in: dict[str, Front]
) -> None:
    stand_in.drops = False
    assert post(before_stand_in[name], {}, path=f"/unused-{name}").status == 200
    # The stand-in itself never would; nor would a proxy by its own default, within a minute.
    eventually(lambda: f"POST /unused-{name}" in stand_in.ended, 30)


def test_the_proxies_time_limits_fit_the_console_s() -> None:
    for name, pattern in KEEPS.items():
        (seconds,) = re.findall(pattern, (FOLDER / name).read_text(encoding="utf-8"))
        assert int(seconds) < gunicorn_number("keepalive")
    waits = {**WAITS, "haproxy.cfg": r"timeout (?:client|server) (\d+)s"}
    for name, pattern in waits.items():
        found = re.findall(pattern, (FOLDER / name).read_text(encoding="utf-8"))
        assert found
        assert all(int(seconds) > MAX_HOLD_S + 5 for seconds in found)
