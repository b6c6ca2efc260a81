"""A console that starts while its database is away: blocked stays blocked, and what is unknown is not served."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.faults.conftest import Bench, bench, prefix_of
from tests.faults.mcp import call_tool
from tests.faults.upstream import Hoursmith
from tests.postgres import Cluster, shared_cluster
from tests.subprocesses import module_start

RECORD = "6f0c6f0e-5c0d-4f5e-9d6e-0a5f4b1c2d3e"


@pytest.fixture
def cluster(needs: Callable[[bool, str], None]) -> Cluster:
    return shared_cluster(needs)


@pytest.fixture
def running(hoursmith: Hoursmith, cluster: Cluster, tmp_path: Path) -> Iterator[Bench]:
    url = cluster.create_database("starting")
    with bench(tmp_path, hoursmith, database_url=url, workers=2) as started:
        yield started


def _block(running: Bench, token: str) -> None:
    running.served.shell(
        "from mcpbridge.auth.restrictions.blocks import block_token\n"
        f"block_token(env='live', prefix='{prefix_of(token)}', org_id='org-1', actor='Ana', reason='leaked')\n"
        "print('true')"
    )
    running.served.dismiss_manager()


def _status(running: Bench, token: str, tool: str = "list_clients") -> int:
    return call_tool(running.served, token, tool, {"id": RECORD} if tool.startswith("delete") else None).status


def _ready(running: Bench) -> tuple[int, dict[str, str]]:
    try:
        with urllib.request.urlopen(f"{running.served.url}/readyz", timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_a_block_holds_over_a_start_without_the_database(running: Bench, cluster: Cluster) -> None:
    blocked, free = running.hoursmith.mint(), running.hoursmith.mint()
    assert _status(running, blocked) == _status(running, free) == 200
    _block(running, blocked)
    copy = running.served.var / "restrictions"
    running.eventually(lambda: copy.exists() and prefix_of(blocked).encode() in copy.read_bytes())
    running.served.stop()
    cluster.stop()
    try:
        running.served.start()
        for _ in range(4):
            assert _status(running, blocked) == _status(running, blocked, "delete_client") == 401
            assert _status(running, free) == 200
        assert call_tool(running.served, free, "delete_client", {"id": RECORD}).error["code"] == "audit_unavailable"
        assert "copy on disk" in _ready(running)[1]["restrictions"]

        running.served.stop()
        copy.unlink()
        running.served.start()
        answer = call_tool(running.served, free, "list_clients")
        assert answer.status == 503
        assert answer.headers["retry-after"]
        assert answer.body["error"]["data"]["fault"] == "restrictions_unknown"
        assert "database is unavailable" in answer.body["error"]["message"]
        assert _status(running, blocked) == 503
        status, told = _ready(running)
        assert (status, "Restrictions are unknown" in told["restrictions"]) == (503, True)
        # Once for each worker, however late the second one comes to serve.
        said = "the copy of the restrictions cannot be used"
        running.eventually(lambda: running.served.output().count(said) >= 2)
        assert running.served.output().count(said) == 2
    finally:
        cluster.start()
    # On each worker: several requests in a row are answered by the database's word.
    running.eventually(
        lambda: all((_status(running, blocked), _status(running, free)) == (401, 200) for _ in range(6)), seconds=60
    )
    assert copy.exists()


@contextmanager
def started(running: Bench) -> Iterator[Callable[[], str]]:
    """The console by the command that an operator uses; yields what reads all that it wrote."""
    log = running.served.var / "serve.log"
    with log.open("wb") as output, open(os.devnull, "rb") as nothing:
        process = module_start(
            "hoursmith_console.server.run",
            environment=running.served.environment,
            stdin=nothing.fileno(),
            stdout=output.fileno(),
            stderr=output.fileno(),
        )
    try:
        yield lambda: log.read_text(encoding="utf-8")
    finally:
        process.terminate()
        process.wait(40)


def test_a_start_without_the_database_says_so_in_one_line(running: Bench, cluster: Cluster) -> None:
    token = running.hoursmith.mint()
    assert _status(running, token) == 200
    running.served.stop()
    with started(running):
        running.eventually(running.answers, 60)
    with stopped(cluster), started(running) as said:
        running.eventually(running.answers, 60)
        assert _status(running, token) == 200
        assert said().count("only reads are served until it does") == 1
        assert "Traceback" not in said()
    # As after an upgrade: what this release needs of the database is not there yet.
    (running.served.var / "migrated_default").unlink()
    with ExitStack() as stack:
        with stopped(cluster):
            said = stack.enter_context(started(running))
            running.eventually(lambda: "Waiting for the database" in said(), 60)
            assert not running.answers()
        running.eventually(running.answers, 60)
        assert _status(running, token) == 200
        assert said().count("Waiting for the database") == 1
        assert "Traceback" not in said()


@contextmanager
def stopped(cluster: Cluster) -> Iterator[None]:
    cluster.stop()
    try:
        yield
    finally:
        cluster.start()
