"""What a request says of its way here, on the served console: only proxies that are named are believed."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mcpbridge.auth.rejected_tokens import MAX_SLOTS_PER_ADDRESS
from tests.faults.mcp import call_tool
from tests.mcpbridge.http.test_forwarding import SAID
from tests.servers import Served, served_console
from tests.token_shapes import assembled_token

HOST = "console.example.com"
HTTPS = {"PUBLIC_URL": f"https://{HOST}", "SANDBOX": "on"}


TRUSTED = pytest.mark.parametrize("trusted", ["10.9.9.9", "127.0.0.1"])


@pytest.fixture(scope="module", params=["10.9.9.9", "127.0.0.1"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two workers that trust another peer, and two that trust the one that asks."""
    env = {**HTTPS, "TRUSTED_PROXIES": request.param}
    with served_console(tmp_path_factory.mktemp("forwarded"), env=env, workers=2) as running:
        yield running


def ask(served: Served, path: str = "/", **said: str) -> httpx.Response:
    return httpx.get(f"{served.url}{path}", headers={"Host": HOST, **said}, timeout=30)


@pytest.mark.parametrize("name", SAID)
def test_only_a_named_proxy_says_that_the_browser_came_over_https(served: Served, name: str) -> None:
    is_trusted = served.environment["TRUSTED_PROXIES"] == "127.0.0.1"
    answer = ask(served, "/accounts/login/", **{name: SAID[name]})
    is_secure = is_trusted and name == "X-Forwarded-Proto"
    assert (answer.status_code, answer.headers.get("location", "")) == (
        (200, "") if is_secure else (301, f"https://{HOST}/accounts/login/")
    )
    assert "evil" not in answer.text


@pytest.mark.parametrize("name", SAID)
def test_only_a_named_proxy_says_whose_address_it_is(served: Served, name: str) -> None:
    is_trusted = served.environment["TRUSTED_PROXIES"] == "127.0.0.1"
    client = f"Client that says {name}"
    token = served.mint_for("OWNER", name)
    assert call_tool(served, token, "get_me", headers={name: SAID[name]}, client=client).status == 200
    code = f"""
import json, time
from mcpbridge.models import ToolCall
rows = ToolCall.objects.filter(client_name={client!r})
while not rows.exists():
    time.sleep(0.05)
print(json.dumps(rows.get().address))
"""
    believed = is_trusted and name == "X-Forwarded-For"
    assert served.shell(code) == (SAID[name] if believed else "127.0.0.1")


def test_what_any_proxy_has_passed_on_is_not_shown_the_metrics(served: Served) -> None:
    assert ask(served, "/metrics").status_code == 200
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        assert ask(served, "/metrics", **{name: SAID[name]}).status_code == 404


@TRUSTED
def test_a_client_behind_a_proxy_spends_its_own_budget_of_unknown_tokens(trusted: str, tmp_path: Path) -> None:
    # A console of its own: the budget is gone behind it.
    with served_console(tmp_path, env={**HTTPS, "TRUSTED_PROXIES": trusted}, workers=2) as served:
        check_budget(served, is_trusted=trusted == "127.0.0.1")


def check_budget(served: Served, *, is_trusted: bool) -> None:
    def try_unknown_token(number: int, address: str) -> int:
        token = assembled_token(f"4f8a2c1b{number:04x}")
        return call_tool(served, token, "get_me", headers={"X-Forwarded-For": address}).status

    # Proxies that write the port write another one for each connection.
    guesses = [
        try_unknown_token(number, f"203.0.113.10:{50_000 + number}") for number in range(MAX_SLOTS_PER_ADDRESS + 1)
    ]
    assert guesses == [401] * MAX_SLOTS_PER_ADDRESS + [429]
    assert try_unknown_token(20, "::ffff:203.0.113.10") == 429
    assert try_unknown_token(21, "203.0.113.11:50000") == (401 if is_trusted else 429)
