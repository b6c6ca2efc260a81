"""What leaves the console, and where to: one origin, the caller's own token, and only headers that we name."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mcpbridge import __version__
from tests.faults import upstream
from tests.faults.conftest import Bench, prefix_of
from tests.faults.mcp import LEGACY, MODERN, call_tool
from tests.faults.upstream import BASE, Hoursmith

NAMED = {"host", "authorization", "accept", "accept-encoding", "user-agent"}
WITH_BODY = NAMED | {"content-type", "content-length", "idempotency-key"}


@pytest.mark.parametrize("version", [MODERN, LEGACY])
def test_no_header_of_the_caller_travels_on_but_the_token(sqlite_bench: Bench, version: str) -> None:
    hoursmith = sqlite_bench.hoursmith
    token = hoursmith.mint()
    extra = {
        "Cookie": "session=secret",
        "X-Api-Key": "secret",
        "Proxy-Authorization": "Basic c2VjcmV0",
        "X-Forwarded-For": "203.0.113.9",
        "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "User-Agent": "Caller/1.0",
        "Idempotency-Key": "of the caller",
        "Referer": "https://caller.example/",
    }
    call_tool(sqlite_bench.served, token, "list_clients", headers=extra, version=version)
    call_tool(sqlite_bench.served, token, "create_client", {"name": "Initech"}, headers=extra, version=version)
    assert {seen.method for seen in hoursmith.seen} == {"GET", "POST"}
    for seen in hoursmith.seen:
        names = [name.lower() for name, _ in seen.headers]
        assert len(names) == len(set(names))
        assert set(names) <= (WITH_BODY if seen.changes else NAMED)
        assert seen.token == token
        assert seen.header("User-Agent") == f"hoursmith-console/{__version__}"
        assert seen.header("Idempotency-Key") != "of the caller"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("method", "tool"),
    [("ME", "get_me"), ("GET", "list_clients"), ("POST", "create_client"), ("DELETE", "delete_client")],
)
def test_a_redirect_is_not_followed_and_no_other_origin_hears_of_it(
    sqlite_bench: Bench, elsewhere: Hoursmith, status: int, method: str, tool: str
) -> None:
    hoursmith = sqlite_bench.hoursmith
    token, record_id = hoursmith.mint(), hoursmith.record_for("delete_client")
    arguments = {"delete_client": {"id": record_id}, "create_client": {"name": "Initech"}}.get(tool, {})
    for target in (f"http://127.0.0.1:{elsewhere.port}{BASE}/me", f"{BASE}/elsewhere"):
        with hoursmith.failing(method, upstream.answering(status, b"moved", Location=target)):
            got = call_tool(sqlite_bench.served, token, tool, arguments)
        assert got.error["code"] == "upstream_redirect"
        assert target not in got.text
    assert elsewhere.seen == []
    assert not [seen for seen in hoursmith.seen if "elsewhere" in seen.path]


@pytest.mark.parametrize(
    "record_id",
    ["../me", "..%2Fme", "%2e%2e/me", "x?admin=1", "x#y", "//evil.example/", "http://evil.example/", "\r\nX: y", ""],
)
def test_an_id_cannot_lead_elsewhere(sqlite_bench: Bench, record_id: str) -> None:
    token = sqlite_bench.hoursmith.mint()
    for tool in ("get_client", "delete_client", "archive_task"):
        got = call_tool(sqlite_bench.served, token, tool, {"id": record_id})
        assert got.error["code"] == "validation_error"
    assert {seen.path for seen in sqlite_bench.hoursmith.seen} <= {f"{BASE}/me"}


def test_a_cookie_of_the_upstream_is_not_kept(sqlite_bench: Bench) -> None:
    hoursmith = sqlite_bench.hoursmith
    token = hoursmith.mint()
    with hoursmith.failing("GET", upstream.answering(200, {"data": []}, Set_Cookie="session=abc; Path=/")):
        got = call_tool(sqlite_bench.served, token, "list_clients")
    call_tool(sqlite_bench.served, token, "list_clients")
    assert not any(seen.header("Cookie") for seen in hoursmith.seen)
    assert "set-cookie" not in got.headers


def test_thirty_callers_at_once_get_their_own_answers(sqlite_bench: Bench) -> None:
    tokens = [sqlite_bench.hoursmith.mint() for _ in range(30)]

    def names(token: str) -> set[str]:
        answers = (call_tool(sqlite_bench.served, token, "get_me") for _ in range(3))
        return {answer.result["structuredContent"]["data"]["tokenName"] for answer in answers}

    with ThreadPoolExecutor(15) as pool:
        assert list(pool.map(names, tokens)) == [{prefix_of(token)} for token in tokens]


def test_nothing_ever_went_to_another_origin(sqlite_bench: Bench, elsewhere: Hoursmith) -> None:
    call_tool(sqlite_bench.served, sqlite_bench.hoursmith.mint(), "get_me")
    assert elsewhere.seen == []
