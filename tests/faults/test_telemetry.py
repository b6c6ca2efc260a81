"""Spans reach a collector, linked and without secrets; a sick collector costs nobody anything."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.collector import Collector, Span, collecting
from tests.faults.conftest import Bench, bench, prefix_of
from tests.faults.mcp import LEGACY, MODERN, call_tool, post
from tests.faults.upstream import Hoursmith
from tests.paths import ROOT
from tests.secret_markers import Canaries

WORKERS = 2
# Longer than any test: whoever waits for the collector is noticed.
COLLECTOR_TIMEOUT_S = 100
ENVIRONMENT = {
    "OTEL_BSP_SCHEDULE_DELAY": "100",
    "OTEL_EXPORTER_OTLP_TIMEOUT": str(COLLECTOR_TIMEOUT_S),
    "OTEL_SERVICE_NAME": "time",
    "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test,service.instance.id=everybody",
}
_numbers = count(1)


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def traced(hoursmith: Hoursmith, collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("traced")
    secret = folder / "headers"
    secret.write_text("authorization=Basic%20Y29uc29sZQ==\n")
    env = {**ENVIRONMENT, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_HEADERS_FILE": str(secret)}
    with bench(folder, hoursmith, workers=WORKERS, **env) as running:
        yield running


def trace_parent(trace: str, span: str = "00f067aa0ba902b7") -> str:
    return f"00-{trace}-{span}-01"


def a_trace() -> str:
    return f"{next(_numbers):032x}"


def spans_of(collector: Collector, trace: str, *, at_least: int) -> list[Span]:
    """The spans of one trace in the order in which they began, once so many have arrived."""

    def look() -> list[Span]:
        found = [span for span in collector.spans() if span.trace == trace]
        return found if len(found) >= at_least else []

    found: list[Span] = collector.eventually(look)
    return found


def test_a_read_is_one_span_with_the_call_upstream_below_it(traced: Bench, collector: Collector) -> None:
    token, trace = traced.hoursmith.mint(), a_trace()

    answer = call_tool(traced.served, token, "list_clients", headers={"traceparent": trace_parent(trace)})

    *below, asked = spans_of(collector, trace, at_least=3)
    assert (asked.name, asked.is_server, asked.is_error) == ("tools/call list_clients", True, False)
    assert asked.parent == "00f067aa0ba902b7"
    assert asked.attributes == {
        "http.response.status_code": 200,
        "network.transport": "tcp",
        "mcp.method.name": "tools/call",
        "mcp.protocol.version": MODERN,
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "list_clients",
        "hoursmith.token": f"hsk_live_{prefix_of(token)}",
        "hoursmith.kind": "read",
        "hoursmith.result": "succeeded",
        "hoursmith.status": 200,
        "hoursmith.workspace": "org-1",
        "hoursmith.request_id": answer.headers["x-request-id"],
    }
    assert [span.name for span in below] == ["GET /me", "GET /clients"]
    assert all(span.parent == asked.id and 0 < span.seconds < asked.seconds for span in below)
    assert below[1].attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "url.template": "/clients",
        "server.address": "127.0.0.1",
        "server.port": traced.hoursmith.port,
    }


def test_nothing_of_a_trace_travels_on_to_hoursmith(traced: Bench, collector: Collector) -> None:
    trace = a_trace()
    headers = {"traceparent": trace_parent(trace), "tracestate": "a=b", "baggage": "c=d"}
    call_tool(traced.served, traced.hoursmith.mint(), "list_clients", headers=headers)
    spans_of(collector, trace, at_least=3)
    names = {name.lower() for request in traced.hoursmith.seen for name, _ in request.headers}
    assert names == {"host", "accept", "accept-encoding", "user-agent", "authorization"}


@pytest.mark.parametrize("version", [MODERN, LEGACY])
def test_the_message_names_its_parent_before_its_transport_does(
    traced: Bench, collector: Collector, version: str
) -> None:
    outer, inner = a_trace(), a_trace()
    about = "io.modelcontextprotocol"
    meta: dict[str, Any] = {"traceparent": trace_parent(inner, "b7ad6b7169203331")}
    headers = {"MCP-Protocol-Version": version, "traceparent": trace_parent(outer)}
    if version == MODERN:
        meta |= {f"{about}/protocolVersion": MODERN, f"{about}/clientCapabilities": {}}
        headers |= {"Mcp-Method": "tools/call", "Mcp-Name": "get_me"}
    headers["Authorization"] = f"Bearer {traced.hoursmith.mint()}"
    params = {"name": "get_me", "arguments": {}, "_meta": meta}

    post(traced.served, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, headers=headers)

    *_, asked = spans_of(collector, inner, at_least=3)
    assert (asked.name, asked.parent) == ("tools/call get_me", "b7ad6b7169203331")
    assert asked.attributes["mcp.protocol.version"] == version


def test_the_commits_of_a_deletion_are_spans_beside_its_calls(traced: Bench, collector: Collector) -> None:
    token, trace = traced.hoursmith.mint(), a_trace()
    record_id = traced.hoursmith.record_for("delete_client")
    headers = {"traceparent": trace_parent(trace)}

    call_tool(traced.served, token, "delete_client", {"id": record_id}, headers=headers)

    *below, asked = spans_of(collector, trace, at_least=6)
    names = ["GET /me", "GET /clients/{id}", "record intent", "DELETE /clients/{id}", "record outcome"]
    assert [span.name for span in below] == names
    assert {span.parent for span in below} == {asked.id}
    assert (asked.attributes["hoursmith.kind"], asked.attributes["hoursmith.result"]) == ("destructive", "succeeded")


def test_a_refused_call_and_a_refused_token_are_errors_with_a_code(traced: Bench, collector: Collector) -> None:
    missing, malformed = a_trace(), a_trace()
    arguments = {"id": "00000000-0000-4000-8000-000000000000"}
    token = traced.hoursmith.mint()
    call_tool(traced.served, token, "get_client", arguments, headers={"traceparent": trace_parent(missing)})
    call_tool(traced.served, "hsk_live_short", "get_me", headers={"traceparent": trace_parent(malformed)})

    *_, called, asked = spans_of(collector, missing, at_least=3)
    assert (called.is_error, called.attributes["error.type"]) == (True, "404")
    assert (asked.is_error, asked.attributes["error.type"]) == (True, "tool_error")
    assert asked.attributes["hoursmith.code"] == "not_found"
    (refused,) = spans_of(collector, malformed, at_least=1)
    assert (refused.name, refused.is_error) == ("POST /mcp", True)
    assert (refused.attributes["http.response.status_code"], refused.attributes["error.type"]) == (401, "-32040")


def test_a_page_is_a_span_by_the_pattern_of_its_address(traced: Bench, collector: Collector) -> None:
    trace = a_trace()
    url = f"{traced.served.url}/accounts/login/?next=/tokens/secret-search"
    request = urllib.request.Request(url, headers={"traceparent": trace_parent(trace)})
    with urllib.request.urlopen(request, timeout=20) as page:
        made = page.headers["X-Request-Id"]

    (span,) = spans_of(collector, trace, at_least=1)
    assert (span.name, span.is_server, span.parent) == ("GET /accounts/login/", True, "00f067aa0ba902b7")
    assert span.attributes == {
        "http.request.method": "GET",
        "http.route": "/accounts/login/",
        "http.response.status_code": 200,
        "hoursmith.request_id": made,
    }
    assert b"secret-search" not in collector.received


def test_the_command_over_stdio_is_traced_too(traced: Bench, collector: Collector) -> None:
    trace = a_trace()
    hello = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "stdio", "version": "1"}}
    call = {"name": "get_me", "arguments": {}, "_meta": {"traceparent": trace_parent(trace)}}
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call},
    ]
    environment = {**traced.served.environment, "HOURSMITH_API_TOKEN": traced.hoursmith.mint()}
    command = [sys.executable, str(ROOT / "manage.py"), "mcp_stdio"]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.stdin.close()
        process.wait(timeout=30)
    assert answers[1]["result"]["isError"] is False

    *_, asked = spans_of(collector, trace, at_least=3)
    assert (asked.name, asked.attributes["network.transport"]) == ("tools/call get_me", "pipe")
    assert asked.attributes["hoursmith.result"] == "succeeded"


def test_who_sends_is_who_the_operator_says_and_each_process_by_itself(traced: Bench, collector: Collector) -> None:
    def workers() -> set[str]:
        call_tool(traced.served, traced.hoursmith.mint(), "get_me")
        senders = [each for each in collector.resources() if each["deployment.environment.name"] == "test"]
        found = {each["service.instance.id"] for each in senders}
        return found if len(found) >= WORKERS else set()

    assert "everybody" not in collector.eventually(workers)
    assert {each["service.name"] for each in collector.resources()} == {"time"}
    assert all(headers["authorization"] == "Basic Y29uc29sZQ==" for headers in collector.headers)


def test_what_a_client_spells_itself_is_not_passed_on(traced: Bench, collector: Collector) -> None:
    canaries = Canaries()
    pasted = canaries.token("in the wrong place")
    good, trace = canaries.token("good", traced.hoursmith.mint()), a_trace()
    headers = {"traceparent": trace_parent(trace), "tracestate": f"x={pasted}", "baggage": f"token={pasted}"}
    meta = {"tracestate": f"x={pasted}", "baggage": f"token={pasted}", pasted: pasted}
    for method, params in (
        (pasted, {}),
        ("tools/call", {"name": pasted, "arguments": {}}),
        ("prompts/get", {"name": pasted, "arguments": {}}),
        ("tools/call", {"name": "list_clients", "arguments": {"search": pasted}}),
        ("tools/call", {"name": "list_clients", "arguments": {pasted: pasted}}),
    ):
        for version in (LEGACY, pasted):
            body = {"jsonrpc": "2.0", "id": pasted, "method": method, "params": {**params, "_meta": meta}}
            versioned = {**headers, "Authorization": f"Bearer {good}", "MCP-Protocol-Version": version}
            post(traced.served, body, headers=versioned)

    spans_of(collector, trace, at_least=10)
    assert canaries.traces(collector.received) == set()


def test_a_collector_that_hangs_holds_up_neither_calls_nor_the_end(traced: Bench, collector: Collector) -> None:
    token = traced.hoursmith.mint()
    collector.may_answer.clear()
    try:
        before = len(collector.bodies)
        call_tool(traced.served, token, "list_clients")
        collector.eventually(lambda: len(collector.bodies) > before)

        for _ in range(20):
            assert not call_tool(traced.served, token, "list_clients", timeout=10).result["isError"]
        began = time.monotonic()
        assert traced.served.stop() == 0

        assert time.monotonic() - began < COLLECTOR_TIMEOUT_S / 3
    finally:
        collector.may_answer.set()
        traced.served.start()
