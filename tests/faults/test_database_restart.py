"""PostgreSQL restarts under a console whose connections are warm: the first page after it is served at once."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.faults.mcp import call_tool
from tests.postgres import Cluster, shared_cluster
from tests.servers import Served, served_console

DATABASE = "restarted"
# A worker's pool holds up to eight; they must be more than a few for checks one by one to add up.
WARM = 6
FIRST_PAGE_S, READY_S = 2.0, 3.0
PAGES = ("/", "/tokens/", "/audit/", "/activity/")


@pytest.fixture
def cluster(needs: Callable[[bool, str], None]) -> Cluster:
    return shared_cluster(needs)


@pytest.fixture
def console(cluster: Cluster, tmp_path: Path) -> Iterator[Served]:
    with served_console(tmp_path, database_url=cluster.create_database(DATABASE)) as served:
        yield served


@pytest.fixture
def owner(console: Served) -> Iterator[httpx.Client]:
    """The browser of the workspace's owner, who has signed in."""
    with httpx.Client(base_url=console.url, timeout=30) as browser:
        address = "/accounts/login/"
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get(address).text)
        assert found
        person = console.person("OWNER")
        form = {"login": person["email"], "password": person["password"], "csrfmiddlewaretoken": found[1]}
        answer = browser.post(address, data=form, headers={"Referer": console.url + address})
        assert answer.status_code == 302, answer.text[:500]
        yield browser


def many_pages(browser: httpx.Client, count: int = 64) -> set[int]:
    """The statuses of many pages that are asked for at once."""
    with ThreadPoolExecutor(16) as many:
        return set(many.map(lambda number: browser.get(PAGES[number % len(PAGES)]).status_code, range(count)))


def warm_up(cluster: Cluster, browser: httpx.Client) -> None:
    """Ask for many pages at once until the pool is full of connections that wait."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle' AND query NOT LIKE '%mcpbridge_freeze%'"
    before = cluster.execute(waiting, DATABASE)[0][0]
    for _ in range(20):
        assert many_pages(browser) == {200}
        if cluster.execute(waiting, DATABASE)[0][0] - before >= WARM - 1:
            return
    raise AssertionError("The pool never filled.")


def test_the_first_page_after_a_restart_is_served_at_once(
    cluster: Cluster, console: Served, owner: httpx.Client
) -> None:
    warm_up(cluster, owner)

    cluster.stop()
    cluster.start()

    began = time.monotonic()
    assert owner.get("/tokens/").status_code == 200
    assert time.monotonic() - began < FIRST_PAGE_S
    assert owner.get("/readyz").status_code == 200
    assert time.monotonic() - began < READY_S
    assert many_pages(owner) == {200}
    assert call_tool(console, console.mint_for("OWNER"), "list_clients").result["isError"] is False


def test_pages_are_back_soon_after_an_outage_that_they_ran_into(cluster: Cluster, owner: httpx.Client) -> None:
    warm_up(cluster, owner)

    cluster.stop()
    assert owner.get("/readyz").status_code == 503
    assert many_pages(owner, 8).isdisjoint({200})
    cluster.start()

    began = time.monotonic()
    while owner.get("/readyz").status_code != 200:
        assert time.monotonic() - began < READY_S
    assert owner.get("/tokens/").status_code == 200
    assert time.monotonic() - began < READY_S + FIRST_PAGE_S
