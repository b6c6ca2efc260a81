"""Monitoring reads one sum over all workers, and nobody else reads anything."""

import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.mcp import call_tool
from tests.servers import Served, served_console
from tests.token_shapes import assembled_token

TOKEN = "let-monitoring-in"


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served_console(tmp_path_factory.mktemp("monitored"), workers=2, env={"SANDBOX_RATE_LIMITS": "off"}) as served:
        yield served


def _ask(served: Served, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(f"{served.url}/metrics", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _value(text: str, sample: str) -> float:
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_calls_of_both_workers_are_counted_together(monitored: Served) -> None:
    token = monitored.mint_for("OWNER", "Metrics")
    for _ in range(20):
        call_tool(monitored, token, "list_clients", {"limit": 1})
    call_tool(monitored, "${HOURSMITH_API_TOKEN}", "list_clients")
    call_tool(monitored, assembled_token(prefix="0123456789ab"), "list_clients")
    wanted = {
        'hoursmith_tool_calls_total{kind="read",result="succeeded",tool="list_clients"}': 20,
        'hoursmith_tool_call_duration_seconds_count{kind="read"}': 20,
        'hoursmith_tool_call_duration_seconds_bucket{kind="read",le="+Inf"}': 20,
        'hoursmith_refused_credentials_total{fault="unexpanded_reference"}': 1,
        'hoursmith_refused_credentials_total{fault="rejected"}': 1,
    }
    until = time.monotonic() + 10
    while True:
        # The counters follow the calls within a quarter of a second, and one after the other.
        status, text = _ask(monitored)
        counted = {sample: _value(text, sample) for sample in wanted}
        if counted == wanted or time.monotonic() > until:
            break
    assert (status, counted) == (200, wanted)
    assert 0 < _value(text, 'hoursmith_tool_call_duration_seconds_sum{kind="read"}') < 200
    assert _value(text, "hoursmith_database_up") == 1
    for name in ("audit_checkpoint_age_seconds", "upstream_answers_total", "activity_waiting", "audit_waiting"):
        assert f"hoursmith_{name}" in text
    labels = set(re.findall(r'[{,](\w+)="', "\n".join(re.findall(r"^hoursmith_.*$", text, re.MULTILINE))))
    assert labels == {"tool", "kind", "result", "status", "fault", "task", "le"}
    # Neither names nor public parts of tokens leave by this way.
    assert token.split("_")[2] not in text
    assert "Metrics" not in text


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via"])
def test_what_a_proxy_passes_on_is_not_monitoring(monitored: Served, header: str) -> None:
    assert _ask(monitored, **{header: "127.0.0.1"})[0] == 404


def test_with_a_token_set_only_the_token_counts(tmp_path: Path) -> None:
    with served_console(tmp_path, env={"METRICS_TOKEN": TOKEN}, static=False) as served:
        assert _ask(served)[0] == 404
        assert _ask(served, Authorization="Bearer wrong")[0] == 404
        assert _ask(served, Authorization=f"Bearer {TOKEN}", **{"X-Forwarded-For": "203.0.113.9"})[0] == 200


def test_a_name_that_was_led_to_this_machine_reads_nothing(monitored: Served) -> None:
    for host in ("evil.example", f"evil.example:{monitored.port}", "127.0.0.1.evil.example", "a b", ""):
        assert _ask(monitored, Host=host)[0] == 404, host
    for host in (f"127.0.0.1:{monitored.port}", f"localhost:{monitored.port}", "10.1.2.3:9000", "[::1]:9000"):
        assert _ask(monitored, Host=host)[0] == 200, host
