"""A console behind each documented proxy: sign-in, calls, claimed addresses, reloads, dead workers, slow clients."""

import http.client
import json
import os
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from tests.faults.conftest import Bench
from tests.faults.mcp import call_tool
from tests.faults.proxies.conftest import CLIENT, METRICS_TOKEN, Front
from tests.faults.proxies.impatient import ENDED
from tests.faults.proxies.programs import HEAD_S, HOST
from tests.faults.test_rolling_restart import steady_calls, told_to
from tests.faults.upstream import Gate
from tests.waiting import eventually

CLAIMED = "203.0.113.9"
CLAIMS = {
    "X-Forwarded-For": CLAIMED,
    "Forwarded": f"for={CLAIMED};proto=http",
    "X-Real-IP": CLAIMED,
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "evil.example",
    "True-Client-IP": CLAIMED,
}


def test_a_member_signs_in(behind: Bench, front: Front) -> None:
    person = behind.served.person("OWNER")
    with front.browser() as browser:
        page = browser.get("/accounts/login/", headers=CLAIMS)
        assert (page.status_code, "evil" in page.text) == (200, False)
        (csrf,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text))
        form = {"csrfmiddlewaretoken": csrf, "login": person["email"], "password": person["password"]}
        origin = {"Origin": f"https://{HOST}", "Referer": f"https://{HOST}/accounts/login/"}
        foreign = {"Origin": "https://evil.example", "Referer": "https://evil.example/"}
        assert browser.post("/accounts/login/", data=form, headers=foreign).status_code == 403
        answer = browser.post("/accounts/login/", data=form, headers=origin)
        assert (answer.status_code, answer.headers["location"]) == (302, "/")
        cookies = [value for name, value in answer.headers.multi_items() if name == "set-cookie"]
        (session,) = (cookie for cookie in cookies if cookie.startswith("__Host-session="))
        assert {"Secure", "HttpOnly", "SameSite=Lax"} <= {part.strip() for part in session.split(";")}
        overview = browser.get("/")
        assert (overview.status_code, person["email"] in overview.text) == (200, True)
        assert overview.headers["strict-transport-security"].startswith("max-age=31536000")


def test_the_address_in_the_audit_log_is_the_client_s_own(behind: Bench, front: Front) -> None:
    for claims in ({}, CLAIMS):
        record_id = behind.hoursmith.record_for("delete_client")
        token = behind.hoursmith.mint()
        answer = call_tool(front, token, "delete_client", {"id": record_id}, headers=claims)
        assert answer.result["isError"] is False
        rows = behind.rows("auditevent", "WHERE target_id = ?", record_id)
        assert [(row["phase"], row["address"]) for row in rows] == [("intent", CLIENT), ("outcome", CLIENT)]


def test_what_is_claimed_behind_a_body_is_not_believed(behind: Bench, front: Front) -> None:
    """A proxy replaces headers, and some pass on trailers as they are."""
    record_id = behind.hoursmith.record_for("delete_client")
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    body = json.dumps({**call, "params": {"name": "delete_client", "arguments": {"id": record_id}}}).encode()
    announced = f"Transfer-Encoding: chunked\r\nTrailer: {', '.join(CLAIMS)}"
    claims = "".join(f"{name}: {value}\r\n" for name, value in CLAIMS.items()).encode()
    with front.connected() as connection:
        chunks = b"%x\r\n%s\r\n0\r\n" % (len(body), body)
        connection.sendall(request_head(behind, announced) + chunks + claims + b"\r\n")
        answer = json.loads(answer_on(connection).read())
    assert answer["result"]["isError"] is False
    rows = behind.rows("auditevent", "WHERE target_id = ?", record_id)
    assert [(row["phase"], row["address"]) for row in rows] == [("intent", CLIENT), ("outcome", CLIENT)]


@pytest.mark.parametrize("path", ["/metrics", "/metrics?x", "/%6detrics", "//metrics", "/./metrics", "/metrics/"])
def test_nobody_outside_sees_the_metrics(front: Front, path: str) -> None:
    connection = front.connection(20)
    connection.request("GET", path, headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    answer = connection.getresponse()
    text = answer.read()
    assert (answer.status, b"hoursmith_" in text) == (404, False), (answer.status, text[:300])
    connection.close()


def test_monitoring_on_the_machine_sees_them(behind: Bench) -> None:
    connection = behind.served.connection(20)
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    answer = connection.getresponse()
    assert (answer.status, b"hoursmith_" in answer.read()) == (200, True)
    connection.close()


@pytest.mark.parametrize("size", [1_500_000, 3_000_000, 6_000_000])
def test_what_is_too_large_is_refused_in_words(behind: Bench, front: Front, size: int) -> None:
    body = json.dumps({"x": "x" * size}).encode()
    connection = front.connection(20)
    connection.putrequest("POST", "/mcp")
    connection.putheader("Authorization", f"Bearer {behind.hoursmith.mint()}")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    # The answer may come before all is sent, and the rest is not taken then.
    with suppress(OSError):
        connection.send(body)
    answer = connection.getresponse()
    text = answer.read().decode()
    assert answer.status == 413, (answer.status, text[:300])
    assert "larger than" in text or "Too Large" in text, text[:300]
    # The proxy kept no part of it in a file.
    assert not list(front.var.glob("client_body/*"))
    connection.close()


@pytest.mark.parametrize("size", [1_500_000, 8_000_000])
def test_what_is_too_large_and_sent_in_chunks_is_refused_in_words(
    behind: Bench, fronts: dict[str, Front], size: int
) -> None:
    head = request_head(behind, "Transfer-Encoding: chunked")
    for name, connection in all_ways(behind, fronts):
        with connection:
            # The answer may come before all is sent, and the rest is not taken then.
            with suppress(OSError):
                connection.sendall(head)
                for _ in range(size // 100_000):
                    connection.sendall(b"186a0\r\n" + b"x" * 100_000 + b"\r\n")
                connection.sendall(b"0\r\n\r\n")
            try:
                answer = answer_on(connection)
            except OSError:
                # Neither stops a body in chunks before five megabytes. What is unread then resets the connection, and
                # a client that only sends loses the answer.
                assert (size > 5_000_000, name in ("console", "haproxy")) == (True, True), name
                continue
            text = answer.read().decode()
            assert answer.status == 413, (name, answer.status, text[:300])
            assert "larger than" in text or "Too Large" in text or name == "caddy", (name, text[:300])


def test_a_body_that_stops_coming_is_refused(behind: Bench, fronts: dict[str, Front]) -> None:
    head = request_head(behind, "Content-Length: 100")
    with ExitStack() as stack:
        ways = {name: stack.enter_context(connection) for name, connection in all_ways(behind, fronts)}
        for connection in ways.values():
            connection.sendall(head + b"{")
        # nginx takes the whole body before it asks the console, and says nothing.
        with pytest.raises(http.client.RemoteDisconnected):
            answer_on(ways.pop("nginx"))
        for name, connection in ways.items():
            answer = answer_on(connection)
            text = answer.read().decode()
            assert (answer.status, "The body did not arrive" in text) == (408, True), (name, text[:300])


def test_a_client_that_reads_nothing_keeps_no_connection_of_the_console(
    behind: Bench, fronts: dict[str, Front]
) -> None:
    with ExitStack() as stack:
        ways = [stack.enter_context(connection) for _, connection in all_ways(behind, fronts)]
        for connection in ways:
            connection.sendall(f"GET /big HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        behind.eventually(lambda: behind.served.output().count(ENDED) == len(ways))


def all_ways(behind: Bench, fronts: dict[str, Front]) -> list[tuple[str, socket.socket]]:
    """New connections to the console itself and to each of the proxies."""
    alone = socket.create_connection(("127.0.0.1", behind.served.port), timeout=30)
    return [("console", alone), *((name, front.connected(30)) for name, front in fronts.items())]


def request_head(behind: Bench, more: str) -> bytes:
    """The head of a request to `/mcp` with a token and one `more` header."""
    token = f"Authorization: Bearer {behind.hoursmith.mint()}"
    json_type = "Content-Type: application/json"
    return f"POST /mcp HTTP/1.1\r\nHost: {HOST}\r\n{token}\r\n{json_type}\r\n{more}\r\n\r\n".encode()


def answer_on(connection: socket.socket) -> http.client.HTTPResponse:
    """The response that comes on a connection, once its head is there."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer


def test_a_reload_loses_no_call_and_a_held_one_is_answered(behind: Bench, fronts: dict[str, Front]) -> None:
    hoursmith, served = behind.hoursmith, behind.served
    old = served.worker_pids()
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(len(fronts)))
        benches = [Bench(front, hoursmith, behind.database_url) for front in fronts.values()]
        threads = [thread for each in benches for thread in stack.enter_context(steady_calls(each, 1))]
        gates = [Gate(hoursmith) for _ in benches]
        with stack.enter_context(ExitStack()) as held:
            under_way = []
            for each, gate in zip(benches, gates, strict=True):
                held.enter_context(hoursmith.failing("POST", gate))
                call: Any = ("create_client", {"name": "Initech"})
                under_way.append(pool.submit(call_tool, each.served, hoursmith.mint(), *call, timeout=90))
                assert gate.arrived.wait(20)
            os.kill(served.pid, signal.SIGHUP)
            behind.eventually(lambda: len(set(served.worker_pids()) - set(old)) == 2, seconds=90)
            for gate in gates:
                gate.may_answer.set()
        assert [each.result(90).status for each in under_way] == [200] * len(fronts)
        behind.eventually(lambda: not set(old) & set(served.worker_pids()), seconds=60)
        so_far = told_to(threads).total()
        behind.eventually(lambda: told_to(threads).total() > so_far + 20)
    assert set(told_to(threads)) == {"done"}


def test_a_deletion_is_not_sent_again_when_its_worker_dies(behind: Bench, fronts: dict[str, Front]) -> None:
    hoursmith, gate = behind.hoursmith, Gate(behind.hoursmith)
    records = {name: hoursmith.record_for("delete_client") for name in fronts}

    def sent() -> list[int]:
        return [len([seen for seen in hoursmith.changes if record in seen.path]) for record in records.values()]

    with ThreadPoolExecutor(len(fronts)) as pool, hoursmith.failing("DELETE", gate):
        deleting = [
            pool.submit(call_tool, fronts[name], hoursmith.mint(), "delete_client", {"id": record}, timeout=60)
            for name, record in records.items()
        ]
        behind.eventually(lambda: sent() == [1] * len(records))
        before = behind.served.worker_pids()
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        assert [each.result(60).status for each in deleting] == [502] * len(records)
        gate.may_answer.set()
    # Nobody is left who would send it; the workers that follow serve through each of the proxies.
    behind.eventually(lambda: len(set(behind.served.worker_pids()) - set(before)) == 2 and behind.answers())
    for front in fronts.values():
        eventually(lambda front=front: call_tool(front, hoursmith.mint(), "get_me").status == 200)
    assert sent() == [1] * len(records)


def test_clients_that_send_nothing_are_disconnected_while_others_are_served(
    behind: Bench, fronts: dict[str, Front]
) -> None:
    token = behind.hoursmith.mint()
    with ExitStack() as stack:
        slow = [stack.enter_context(front.connected()) for front in fronts.values() for _ in range(20)]
        for connection in slow:
            connection.sendall(b"POST /mcp HTTP/1.1\r\nHost: console.exa")
        for front in fronts.values():
            assert call_tool(front, token, "get_me").result["isError"] is False
        for connection in slow:
            connection.settimeout(20 + HEAD_S)
            # Without a word, or with 408.
            assert _rest(connection)[:12] in (b"", b"HTTP/1.1 408")


def _rest(connection: socket.socket) -> bytes:
    read = b""
    with suppress(ConnectionError):
        while part := connection.recv(4096):
            read += part
    return read
