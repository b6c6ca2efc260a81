"""The five destructive tools against a Hoursmith that accepts, refuses and fails: sent once, and on record."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.faults import upstream
from tests.faults.conftest import UPSTREAM_TIMEOUT_S, Bench, prefix_of
from tests.faults.mcp import Answer, call_tool
from tests.faults.upstream import BASE, COLLECTIONS, Fault, Hoursmith

METHODS = {tool: "POST" if tool.startswith("archive") else "DELETE" for tool in COLLECTIONS}
every_tool = pytest.mark.parametrize("tool", COLLECTIONS)


@dataclass(frozen=True)
class Attempt:
    """One destructive call: who made it, on what, and the answer."""

    prefix: str
    record_id: str
    answer: Answer


def destroy(bench: Bench, tool: str, fault: Fault | None = None) -> Attempt:
    """Call `tool` with a new token on a new record, while its REST call ends in `fault`."""
    hoursmith = bench.hoursmith
    token, record_id = hoursmith.mint(), hoursmith.record_for(tool)
    plan = hoursmith.failing(METHODS[tool], fault) if fault else hoursmith.failing("nothing", upstream.drop_at_once)
    with plan:
        return Attempt(prefix_of(token), record_id, call_tool(bench.served, token, tool, {"id": record_id}))


def changes_of(hoursmith: Hoursmith, attempt: Attempt) -> list[tuple[str, str]]:
    """Method and path of what reached Hoursmith to change that record."""
    return [(seen.method, seen.path) for seen in hoursmith.changes if attempt.record_id in seen.path]


@every_tool
def test_a_success_is_on_record_with_what_was_destroyed(either_bench: Bench, tool: str) -> None:
    attempt = destroy(either_bench, tool)
    assert attempt.answer.result["isError"] is False
    status = 204 if METHODS[tool] == "DELETE" else 200
    assert either_bench.record_of(attempt.prefix) == [("intent", "", None, ""), ("outcome", "succeeded", status, "")]
    intent, outcome = either_bench.rows("auditevent", "WHERE prefix = ? ORDER BY phase", attempt.prefix)
    snapshot = intent["snapshot"] if isinstance(intent["snapshot"], dict) else json.loads(intent["snapshot"])
    assert snapshot["name"] == "Globex"
    for row in (intent, outcome):
        assert (row["tool"], row["target_id"], row["target_label"]) == (tool, attempt.record_id, "Globex")
        assert (row["client_name"], row["role"], row["org_id"]) == ("Fault finder", "OWNER", "org-1")
    suffix = "/archive" if METHODS[tool] == "POST" else ""
    path = f"{BASE}/{COLLECTIONS[tool]}/{attempt.record_id}{suffix}"
    assert changes_of(either_bench.hoursmith, attempt) == [(METHODS[tool], path)]


@every_tool
@pytest.mark.parametrize(
    ("status", "code"), [(403, "forbidden_scope"), (404, "not_found"), (409, "conflict"), (422, "validation_error")]
)
def test_a_refusal_is_on_record(sqlite_bench: Bench, tool: str, status: int, code: str) -> None:
    attempt = destroy(sqlite_bench, tool, upstream.refusing(status, code))
    assert (attempt.answer.error["status"], attempt.answer.error["code"]) == (status, code)
    assert attempt.answer.error["hint"]
    assert sqlite_bench.record_of(attempt.prefix) == [("intent", "", None, ""), ("outcome", "refused", status, code)]
    assert len(changes_of(sqlite_bench.hoursmith, attempt)) == 1


FAILURES = {
    "500": (upstream.answering(500, {"error": {"code": "internal", "message": "Oops"}}), 500, "internal"),
    "503 HTML": (upstream.answering(503, b"<html>down</html>"), 503, "internal"),
    "closed": (upstream.drop_at_once, 502, "upstream_dropped"),
    "reset": (upstream.reset_at_once, 502, "upstream_dropped"),
    "half the headers": (upstream.drop_in_headers, 502, "upstream_dropped"),
    "half the body": (upstream.drop_in_body, 502, "upstream_dropped"),
    "half a chunk": (upstream.drop_in_chunk, 502, "upstream_dropped"),
}


@every_tool
@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_on_record_and_nothing_is_sent_again(sqlite_bench: Bench, tool: str, failure: str) -> None:
    fault, status, code = FAILURES[failure]
    attempt = destroy(sqlite_bench, tool, fault)
    assert (attempt.answer.error["status"], attempt.answer.error["code"]) == (status, code)
    assert "may have carried it out" in attempt.answer.error["hint"]
    assert sqlite_bench.record_of(attempt.prefix) == [("intent", "", None, ""), ("outcome", "failed", status, code)]
    assert len(changes_of(sqlite_bench.hoursmith, attempt)) == 1


def test_silence_is_a_failure_on_record_and_nothing_is_sent_again(either_bench: Bench) -> None:
    hoursmith = either_bench.hoursmith
    made = {tool: (hoursmith.mint(), hoursmith.record_for(tool)) for tool in COLLECTIONS}

    def call(tool: str) -> Answer:
        token, record_id = made[tool]
        return call_tool(either_bench.served, token, tool, {"id": record_id})

    silence = upstream.pause(UPSTREAM_TIMEOUT_S * 2)
    # All five wait at the same time, since waiting is all they do.
    with hoursmith.failing("DELETE", silence), hoursmith.failing("POST", silence), ThreadPoolExecutor(5) as pool:
        answers = dict(zip(made, pool.map(call, made), strict=True))
    for tool, (token, record_id) in made.items():
        assert answers[tool].error["code"] == "upstream_timeout"
        assert "may have carried it out" in answers[tool].error["hint"]
        outcome = ("outcome", "failed", 504, "upstream_timeout")
        assert either_bench.record_of(prefix_of(token)) == [("intent", "", None, ""), outcome]
        assert len([seen for seen in hoursmith.changes if record_id in seen.path]) == 1


@every_tool
@pytest.mark.parametrize("drop", [upstream.drop_at_once, upstream.reset_at_once], ids=["closed", "reset"])
def test_a_line_that_breaks_when_used_again_is_no_reason_to_send_again(
    sqlite_bench: Bench, tool: str, drop: Fault
) -> None:
    hoursmith = sqlite_bench.hoursmith
    # These leave a connection that is kept alive; the destructive call goes out on it.
    warm = hoursmith.mint()
    for _ in range(3):
        assert call_tool(sqlite_bench.served, warm, "list_clients").result["isError"] is False
    attempt = destroy(sqlite_bench, tool, drop)
    (sent,) = [seen for seen in hoursmith.changes if attempt.record_id in seen.path]
    assert sent.connection in {seen.connection for seen in hoursmith.seen if seen.token == warm}
    assert attempt.answer.error["code"] == "upstream_dropped"


def test_an_archive_carries_one_key_so_that_it_cannot_count_twice(sqlite_bench: Bench) -> None:
    attempt = destroy(sqlite_bench, "archive_project")
    (sent,) = [seen for seen in sqlite_bench.hoursmith.changes if attempt.record_id in seen.path]
    assert len(sent.header("Idempotency-Key")) >= 16


def test_a_record_that_cannot_be_read_first_is_destroyed_all_the_same_and_says_so(sqlite_bench: Bench) -> None:
    hoursmith = sqlite_bench.hoursmith
    with hoursmith.failing("GET", upstream.drop_at_once):
        attempt = destroy(sqlite_bench, "delete_client")
    assert attempt.answer.result["isError"] is False
    intent, _ = sqlite_bench.rows("auditevent", "WHERE prefix = ? ORDER BY phase", attempt.prefix)
    assert (intent["snapshot"], intent["snapshot_fault"]) == (None, "upstream_dropped")
