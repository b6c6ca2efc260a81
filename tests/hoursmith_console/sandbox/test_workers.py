"""What must hold between worker processes: one budget, one answer for a key, one running timer."""

import json
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from tests.postgres import shared_cluster
from tests.servers import Served, served_console


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: Any


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, needs: Callable[[bool, str], None]
) -> Iterator[Served]:
    url = shared_cluster(needs).create_database("sandbox_workers") if request.param == "postgres" else None
    with served_console(tmp_path_factory.mktemp("workers"), database_url=url, workers=2) as console:
        yield console


def _call(served: Served, token: str, path: str, body: Any = None, key: str = "") -> Answer:
    request = urllib.request.Request(f"{served.url}/sandbox/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
        request.add_header("Idempotency-Key", key)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return Answer(answer.status, answer.read(), answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read(), error.headers)


def _at_once(count: int, call: Callable[[int], Answer]) -> list[Answer]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def test_all_workers_share_one_budget(served: Served) -> None:
    token = served.mint_for("OWNER")
    answers = [answer for _ in range(5) for answer in _at_once(20, lambda _: _call(served, token, "/me"))]
    windows: dict[str, Counter[int]] = defaultdict(Counter)
    for answer in answers:
        windows[answer.headers["X-RateLimit-Reset"]][answer.status] += 1
    for statuses in windows.values():
        assert set(statuses) <= {200, 429}
        assert statuses[200] <= 60
        assert statuses[429] == 0 or statuses[200] == 60
    # Each that was let through took a place of its own.
    places = [
        tuple(answer.headers[f"X-RateLimit-{name}"] for name in ("Reset", "Remaining"))
        for answer in answers
        if answer.status == 200
    ]
    assert len(set(places)) == len(places)


def test_one_key_sent_many_times_at_once_is_carried_out_once(served: Served) -> None:
    token = served.mint_for("ADMIN")
    body = {"name": "Only once"}
    answers = _at_once(12, lambda _: _call(served, token, "/clients", body, "k"))
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.body for answer in answers if answer.status == 201}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers if answer.status == 201) == 1
    listed = json.loads(_call(served, token, "/clients?search=only+once").body)["data"]
    assert len(listed) == 1


def test_one_person_gets_one_running_timer_however_many_start_at_once(served: Served) -> None:
    token = served.mint_for("MANAGER")
    project = json.loads(_call(served, token, "/projects?limit=1").body)["data"][0]["id"]
    body = {
        "projectId": project,
        "entryDate": "2026-03-03",
        "durationSeconds": 0,
        "startedAt": "2026-03-03T09:00:00Z",
    }
    answers = _at_once(8, lambda number: _call(served, token, "/time-entries", body, f"k{number}"))
    assert Counter(answer.status for answer in answers) == {201: 1, 409: 7}
