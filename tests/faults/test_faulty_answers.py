"""Whatever Hoursmith answers, the caller gets one clear error, no secret, and the console lives."""

import functools
import gzip
import json
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults import upstream
from tests.faults.conftest import UPSTREAM_TIMEOUT_S, Bench, prefix_of
from tests.faults.mcp import LEGACY, MODERN, call_tool
from tests.faults.upstream import Fault, Line, Seen

# Words of an answer that nobody foresaw: they may hold anything, so none of them may come through.
LEAK = "leaked-upstream-detail"
MEGABYTE = b"x" * 1024 * 1024


def drip(line: Line, request: Seen) -> None:
    """One byte at a time, each well within the time that a read may take."""
    line.head(200, {"Content-Type": "application/json", "Content-Length": "1000"})
    for _ in range(100):
        line.raw(b" ")
        time.sleep(UPSTREAM_TIMEOUT_S / 10)


def half_open(line: Line, request: Seen) -> None:
    """Headers of an answer that never comes."""
    line.head(200, {"Content-Type": "application/json", "Content-Length": "1000"})
    time.sleep(UPSTREAM_TIMEOUT_S * 2)
    line.close()


def hundred_megabytes(line: Line, request: Seen) -> None:
    line.head(200, {"Content-Type": "application/json", "Content-Length": str(100 * len(MEGABYTE))})
    for _ in range(100):
        line.raw(MEGABYTE)


def endless_chunks(line: Line, request: Seen) -> None:
    line.head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    while True:
        line.raw(b"100000\r\n" + MEGABYTE + b"\r\n")


def longer_than_said(line: Line, request: Seen) -> None:
    """A short answer, and behind it a whole one that would suit the next request on this line."""
    body = json.dumps({"data": {"id": LEAK, "orgId": "org-2", "name": LEAK}}).encode()
    forged = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    line.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}" + forged + body)


def shorter_than_said(line: Line, request: Seen) -> None:
    line.head(200, {"Content-Type": "application/json", "Content-Length": "1000"})
    line.raw(b'{"data": {}}')
    time.sleep(UPSTREAM_TIMEOUT_S * 2)
    line.close()


def not_http(line: Line, request: Seen) -> None:
    line.raw(b"SSH-2.0-OpenSSH_9.2 " + LEAK.encode() + b"\r\n")
    line.close()


def huge_headers(line: Line, request: Seen) -> None:
    line.head(200, {"Content-Length": "2", **{f"X-{number}": LEAK * 40 for number in range(2000)}})
    line.raw(b"{}")


@functools.cache
def bomb() -> bytes:
    """200 megabytes of spaces in less than one."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return b"".join(packer.compress(b" " * len(MEGABYTE)) for _ in range(200)) + packer.flush()


def gzip_bomb(line: Line, request: Seen) -> None:
    line.answer(200, bomb(), Content_Encoding="gzip")


ANSWERS: dict[str, tuple[Fault, str]] = {
    "HTML": (upstream.answering(200, f"<html>{LEAK}</html>".encode(), Content_Type="text/html"), "upstream_malformed"),
    "500 in JSON": (upstream.answering(500, {"error": {"code": "internal", "message": LEAK}}), "internal"),
    "500 in HTML": (upstream.answering(500, f"<html>{LEAK}</html>".encode()), "internal"),
    "418": (upstream.answering(418, {"error": {"code": "teapot", "message": LEAK}}), "internal"),
    "a status that is none": (upstream.answering(799, {"data": LEAK}), "internal"),
    "not JSON": (upstream.answering(200, f"{{{LEAK}".encode()), "upstream_malformed"),
    "not an object": (upstream.answering(200, [LEAK]), "upstream_malformed"),
    "not UTF-8": (upstream.answering(200, b'{"data": "\xff\xfe"}'), "upstream_malformed"),
    "deeper than can be written": (
        upstream.answering(200, b'{"data":' + b"[" * 600 + b"]" * 600 + b"}"),
        "upstream_malformed",
    ),
    "deep in a record": (
        upstream.answering(200, b'{"data":' + b'{"a":' * 600 + b"1" + b"}" * 600 + b"}"),
        "upstream_malformed",
    ),
    "too deep": (upstream.answering(200, b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "upstream_malformed"),
    "gzip nobody asked for": (
        upstream.answering(200, gzip.compress(b"not JSON " + LEAK.encode()), Content_Encoding="gzip"),
        "upstream_malformed",
    ),
    "broken gzip": (upstream.answering(200, b"\x1f\x8bgarbage", Content_Encoding="gzip"), "upstream_malformed"),
    "not HTTP": (not_http, "upstream_malformed"),
    "huge headers": (huge_headers, "upstream_malformed"),
    "silence": (upstream.pause(UPSTREAM_TIMEOUT_S * 2), "upstream_timeout"),
    "a drip": (drip, "upstream_timeout"),
    "half open": (half_open, "upstream_timeout"),
    "shorter than said": (shorter_than_said, "upstream_timeout"),
    "closed": (upstream.drop_at_once, "upstream_dropped"),
    "reset": (upstream.reset_at_once, "upstream_dropped"),
    "half the headers": (upstream.drop_in_headers, "upstream_dropped"),
    "half the body": (upstream.drop_in_body, "upstream_dropped"),
    "half a chunk": (upstream.drop_in_chunk, "upstream_dropped"),
}


@pytest.fixture(scope="module", autouse=True)
def _one_process(sqlite_bench: Bench) -> Iterator[None]:
    """The same process lives through all of this."""
    before = sqlite_bench.served.worker_pids()
    yield
    assert sqlite_bench.served.worker_pids() == before


def assert_clear(error: dict[str, object], text: str, token: str) -> None:
    """The error says what happened and what to do, and nothing that it should not know."""
    assert error["message"]
    assert error["hint"]
    assert LEAK not in text
    assert token[-32:] not in text
    assert "Traceback" not in text


@pytest.mark.parametrize("answer", ANSWERS)
def test_each_faulty_answer_gives_one_clear_error(sqlite_bench: Bench, answer: str) -> None:
    fault, code = ANSWERS[answer]
    token = sqlite_bench.hoursmith.mint()
    call_tool(sqlite_bench.served, token, "get_me")
    with sqlite_bench.hoursmith.failing("GET", fault):
        got = call_tool(sqlite_bench.served, token, "list_clients")
    assert got.error["code"] == code
    assert_clear(got.error, got.text, token)
    assert call_tool(sqlite_bench.served, token, "list_clients").result["isError"] is False


@pytest.mark.parametrize(
    "answer", ["HTML", "500 in JSON", "not JSON", "silence", "closed", "half the body", "not HTTP"]
)
def test_a_faulty_answer_to_the_first_question_of_all_is_clear_too(sqlite_bench: Bench, answer: str) -> None:
    fault, code = ANSWERS[answer]
    token = sqlite_bench.hoursmith.mint()
    with sqlite_bench.hoursmith.failing("ME", fault):
        got = call_tool(sqlite_bench.served, token, "list_clients")
    assert got.error["code"] == code
    assert_clear(got.error, got.text, token)


@pytest.mark.parametrize("version", [MODERN, LEGACY])
def test_an_empty_success_is_a_success(sqlite_bench: Bench, version: str) -> None:
    token = sqlite_bench.hoursmith.mint()
    with sqlite_bench.hoursmith.failing("GET", upstream.answering(204)):
        got = call_tool(sqlite_bench.served, token, "get_running_timer", version=version)
    assert got.result["structuredContent"] == {"data": None}


def test_too_many_calls_say_when_to_come_back(sqlite_bench: Bench) -> None:
    token = sqlite_bench.hoursmith.mint()
    limited = {"error": {"code": "rate_limited", "message": "Slow down."}}
    with sqlite_bench.hoursmith.failing("GET", upstream.answering(429, limited, Retry_After="7")):
        got = call_tool(sqlite_bench.served, token, "list_clients")
    assert (got.error["status"], got.error["code"], got.error["retryAfter"]) == (429, "rate_limited", 7)
    assert "7 seconds" in str(got.error["hint"])
    assert len([seen for seen in sqlite_bench.hoursmith.seen if seen.path.endswith("/clients")]) == 1


def test_a_token_revoked_between_two_calls_gets_no_more_answers(sqlite_bench: Bench) -> None:
    hoursmith, served = sqlite_bench.hoursmith, sqlite_bench.served
    token = hoursmith.mint()
    assert call_tool(served, token, "list_clients").result["isError"] is False
    del hoursmith.tokens[token]
    for _ in range(2):
        got = call_tool(served, token, "list_clients")
        assert (got.status, got.headers["www-authenticate"].split()[0]) == (401, "Bearer")
        assert token[-32:] not in got.text


def test_an_answer_behind_an_answer_reaches_nobody(sqlite_bench: Bench) -> None:
    hoursmith, served = sqlite_bench.hoursmith, sqlite_bench.served
    first, second = hoursmith.mint(), hoursmith.mint()
    record_id = hoursmith.record_for("delete_client", name="Initech")
    for token in (first, second):
        call_tool(served, token, "get_me")
    for _ in range(3):
        with hoursmith.failing("GET", longer_than_said):
            poisoned = call_tool(served, first, "get_client", {"id": record_id})
        assert LEAK not in poisoned.text
        clean = call_tool(served, second, "get_client", {"id": record_id})
        assert clean.result["structuredContent"]["data"]["name"] == "Initech"


def memory_mib(bench: Bench) -> int:
    """The most memory that a worker ever held."""
    peaks = []
    for pid in bench.served.worker_pids():
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        peaks.append(next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")))
    return max(peaks) // 1024


@pytest.mark.parametrize("flood", [hundred_megabytes, endless_chunks, gzip_bomb])
def test_a_flood_is_cut_off_before_it_fills_the_memory(sqlite_bench: Bench, flood: Fault) -> None:
    hoursmith, served = sqlite_bench.hoursmith, sqlite_bench.served
    token = hoursmith.mint()
    call_tool(served, token, "get_me")
    bomb()
    before = memory_mib(sqlite_bench)
    with hoursmith.failing("GET", flood), ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: call_tool(served, token, "list_clients"), range(4)))
    for got in answers:
        assert got.error["code"] in ("upstream_too_large", "upstream_malformed")
        assert_clear(got.error, got.text, token)
    # Four at once, each with at most eight megabytes kept and as much again in the making.
    assert memory_mib(sqlite_bench) - before < 4 * 2 * 8 + 30


def test_a_flood_in_answer_to_a_delete_is_a_failure_on_record(sqlite_bench: Bench) -> None:
    hoursmith, served = sqlite_bench.hoursmith, sqlite_bench.served
    token, record_id = hoursmith.mint(), hoursmith.record_for("delete_client")
    with hoursmith.failing("DELETE", hundred_megabytes):
        got = call_tool(served, token, "delete_client", {"id": record_id})
    assert got.error["code"] == "upstream_too_large"
    assert "may have carried it out" in str(got.error["hint"])
    assert sqlite_bench.record_of(prefix_of(token))[1][:2] == ("outcome", "failed")
