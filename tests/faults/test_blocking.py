"""Block token: from the response on, every worker rejects the token."""

import http.client
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.faults.conftest import prefix_of
from tests.postgres import shared_cluster
from tests.servers import Served, served_console

logger = logging.getLogger(__name__)

WORKERS = 2
# The bridge looks by itself each second, should a notification be late on a busy machine.
NOTIFIED_WITHIN_S = 3.0
_CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_me", "arguments": {}}}


@pytest.fixture(params=["sqlite", "postgres"])
def served(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[bool, str], None]) -> Iterator[Served]:
    url = shared_cluster(needs).create_database("containing") if request.param == "postgres" else None
    # What waits for its turn here must not be taken for idle, however slow the machine is.
    env = {"SANDBOX_RATE_LIMITS": "off", "GUNICORN_CMD_ARGS": "--keep-alive=60"}
    with served_console(tmp_path, env=env, database_url=url, workers=WORKERS) as running:
        yield running


class Line:
    """A kept-alive connection to one worker."""

    def __init__(self, served: Served, token: str) -> None:
        parts = urlsplit(served.url)
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "MCP-Protocol-Version": "2025-11-25",
            "Authorization": f"Bearer {token}",
        }
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        assert self.call() == 200
        self.worker = _holder(served, self._connection.sock.getsockname()[1])

    def call(self) -> int:
        """Call a tool; the status of the answer."""
        self._connection.request("POST", "/mcp", json.dumps(_CALL), self._headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def close(self) -> None:
        self._connection.close()


def _holder(served: Served, port: int) -> int:
    """The worker that holds the other end of the connection from our `port`."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    ends = {line[9] for line in lines if line[2].endswith(f":{port:04X}") and line[1].endswith(f":{served.port:04X}")}
    for pid in served.worker_pids():
        for file in Path(f"/proc/{pid}/fd").iterdir():
            match = re.fullmatch(r"socket:\[(\d+)\]", str(file.readlink()) if file.is_symlink() else "")
            if match and match[1] in ends:
                return pid
    raise AssertionError("No worker holds the connection.")


def lines_to_all(served: Served, token: str, each: int, closing: ExitStack) -> dict[int, list[Line]]:
    """At least `each` connections to every worker, which end with `closing`."""
    found: dict[int, list[Line]] = {pid: [] for pid in served.worker_pids()}
    for _ in range(400):
        line = Line(served, token)
        if len(found[line.worker]) < each:
            closing.callback(line.close)
            found[line.worker].append(line)
        else:
            line.close()
        if all(len(lines) >= each for lines in found.values()):
            return found
    raise AssertionError("One worker takes all connections.")


class Admin:
    """A browser of the workspace's owner, who has just given their password."""

    def __init__(self, served: Served) -> None:
        self._served = served
        owner = served.person("OWNER")
        self._browser = httpx.Client(base_url=served.url, follow_redirects=False, timeout=30)
        self._send("/accounts/login/", login=owner["email"], password=owner["password"])
        self._send("/accounts/reauthenticate/", password=owner["password"])

    def _send(self, address: str, **form: str) -> httpx.Response:
        page = self._browser.get(address).text
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found, page[:500]
        answer = self._browser.post(
            address, data={**form, "csrfmiddlewaretoken": found[1]}, headers={"Referer": self._served.url + address}
        )
        assert answer.status_code == 302, answer.text[:500]
        return answer

    def close(self) -> None:
        self._browser.close()

    def ready(self, prefix: str) -> Callable[[], None]:
        """The filled-in form; calling it is the click, and returns with its answer."""
        address = f"/tokens/block/?token=live_{prefix}"
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self._browser.get(address).text)
        assert found
        data = {"reason": "leak", "csrfmiddlewaretoken": found[1]}
        headers = {"Referer": self._served.url + address}

        def click() -> None:
            assert self._browser.post(address, data=data, headers=headers).status_code == 302

        return click


def refused_by(line: Line, instant: float) -> int:
    """The status of a call, tried again until it is a refusal or began after `instant` (monotonic)."""
    while True:
        began = time.monotonic()
        status = line.call()
        if status != 200 or began > instant:
            return status


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    """What a test opened; a failure leaves nothing open to the tests that follow."""
    with ExitStack() as stack:
        yield stack


def test_the_next_call_after_the_answer_is_refused_on_every_worker(served: Served, closing: ExitStack) -> None:
    admin, token = Admin(served), served.mint_for("MANAGER")
    closing.callback(admin.close)
    click = admin.ready(prefix_of(token))
    lines = lines_to_all(served, token, each=3, closing=closing)
    hammers = [line for held in lines.values() for line in held[2:]]
    accepted: list[float] = []
    is_over = threading.Event()

    def hammer(line: Line) -> None:
        while not is_over.is_set():
            began = time.monotonic()
            if line.call() != 200:
                return
            accepted.append(began)

    threads = [threading.Thread(target=hammer, args=(line,)) for line in hammers]
    for thread in threads:
        thread.start()
        closing.callback(thread.join)
    closing.callback(is_over.set)
    time.sleep(0.3)
    clicked = time.monotonic()
    click()
    answered = time.monotonic()
    # PostgreSQL tells the workers a moment after its commit; a file that all have mapped tells them with it.
    late_s = NOTIFIED_WITHIN_S if served.environment["DATABASE_URL"].startswith("postgres") else 0.0
    statuses = {pid: [refused_by(line, answered + late_s) for line in held[:2]] for pid, held in lines.items()}
    is_over.set()
    for thread in threads:
        thread.join()
    assert statuses == {pid: [401, 401] for pid in lines}
    # Of the calls that went on meanwhile none began after the answer and was let through.
    assert [at for at in accepted if at > answered + late_s] == []
    last, answer = 1000 * (max(accepted) - clicked), 1000 * (answered - clicked)
    logger.info("The last accepted call began %.1f ms after the click, whose answer took %.1f ms.", last, answer)
