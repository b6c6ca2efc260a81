"""What the token pages say from the counts: a month in bars, tools used and allowed, a time line."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.token_inventory.used_tools import is_allowed
from hoursmith_console.tokens.usage import DAYS, Month, months_of
from mcpbridge.models import ObservedToken, Result, TokenBlock
from mcpbridge.tools import TOOLS
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_call, make_token

Browse = Callable[[str], Client]
NOW = timezone.now()


@pytest.fixture(autouse=True)
def at_one_instant(stop_clock: Callable[[datetime], None]) -> None:
    stop_clock(NOW)


def _text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_a_month_has_thirty_days_of_one_token(cast: Cast) -> None:
    token = cast.tokens["owner"]
    make_call(token, at=NOW)
    make_call(token, "delete_client", at=NOW)
    make_call(token, result=Result.REFUSED, at=NOW)
    make_call(token, at=NOW - timedelta(days=DAYS - 1))
    make_call(token, at=NOW - timedelta(days=DAYS))
    make_call(cast.tokens["admin"], at=NOW)
    month = months_of(cast.org_id, [token])["live", token.prefix]
    assert (month.calls[0], month.calls[-1], month.total) == (1, 3, 4)
    assert (month.destructive[-1], month.total_destructive) == (1, 1)
    foreign = months_of("org-globex", [token])["live", token.prefix]
    assert foreign.total == 0


def test_bars_show_one_call_among_thousands() -> None:
    month = Month((1, *[0] * 28, 5000), (0,) * 29 + (1,))
    assert month.paths(5000) == [("read", "M0 16v-2h2V16zM87 16v-16h2V16z"), ("destructive", "M87 16v-2h2V16z")]


def _order(browse: Browse, query: str) -> list[str]:
    page = browse("owner").get(f"/tokens/{query}").content.decode()
    return re.findall(r'<a class="name" href="[^"]*">token (\w)</a>', page)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["c", "b", "a"]),
        ("?sort=calls", ["a", "b", "c"]),
        ("?sort=destructive", ["b", "a", "c"]),
        ("?sort=oldest", ["b", "c", "a"]),
        ("?sort=nonsense", ["c", "b", "a"]),
        ("?env=test", ["c"]),
        ("?env=live", ["b", "a"]),
        ("?owner=unknown", ["c", "b", "a"]),
        ("?blocked=yes", ["b"]),
        ("?blocked=no&sort=calls", ["a", "c"]),
        ("?q=token+b", ["b"]),
        ("?q=bbbbbbbbbbbb", ["b"]),
    ],
)
def test_tokens_are_ordered_and_filtered_by_the_address(
    cast: Cast, browse: Browse, query: str, expected: list[str]
) -> None:
    ObservedToken.objects.all().delete()
    for place, (name, env, calls, destroyed, age) in enumerate(
        [("a", "live", 900, 3, 1), ("b", "live", 40, 7, 30), ("c", "test", 2, 0, 9)]
    ):
        make_token(
            cast.org_id,
            name * 12,
            name=f"token {name}",
            env=env,
            calls_read=calls,
            calls_destructive=destroyed,
            first_used_at=NOW - timedelta(days=age),
            last_used_at=NOW - timedelta(hours=9 - place),
        )
    make_token("org-globex", "d" * 12, name="token d")
    TokenBlock.objects.create(env="live", prefix="b" * 12, org_id=cast.org_id, blocked_at=NOW, blocked_by="Ana")
    assert _order(browse, query) == expected


@pytest.mark.parametrize("sort", ["", "calls", "destructive", "oldest"])
def test_every_order_is_paged_without_gaps_where_values_are_equal(cast: Cast, browse: Browse, sort: str) -> None:
    ObservedToken.objects.all().delete()
    for number in range(120):
        make_token(cast.org_id, f"{number:012x}", calls_destructive=number // 50, last_used_at=NOW)
    found: list[str] = []
    query: str | None = f"?sort={sort}"
    while query is not None:
        page = browse("owner").get(f"/tokens/{query}").content.decode().replace("&amp;", "&")
        found += re.findall(r'<a class="name" href="/tokens/(\d+)/">', page)
        older = re.search(r'href="(\?[^"]*)" rel="next"', page)
        query = older[1] if older else None
    assert len(found) == len(set(found)) == 120


def test_used_tools_are_shown_beside_allowed_tools(cast: Cast, browse: Browse) -> None:
    token = cast.tokens["member"]
    make_call(token, "get_task")
    make_call(token, "delete_client", result=Result.REFUSED)
    page = _text(browse("owner"), f"/tokens/{token.pk}/")
    allowed = sum(is_allowed(tool, role="MEMBER", scopes=["read", "write"]) for tool in TOOLS.values())
    assert f"1 of {allowed} allowed tools used" in page
    assert re.search(r"delete_client\s+not allowed\s+1\s+calls\s+1\s+refused or failed", page)
    assert "Allowed but never used" in page


@pytest.mark.parametrize(
    ("role", "scopes", "tool", "expected"),
    [
        ("OWNER", ["read", "write"], "delete_client", True),
        ("OWNER", ["read"], "delete_client", False),
        ("OWNER", ["read"], "list_clients", True),
        ("MEMBER", ["read", "write"], "list_clients", False),
        ("MEMBER", ["read", "write"], "update_task", True),
        ("MEMBER", ["read", "write"], "create_task", False),
        ("MEMBER", ["read", "write"], "delete_time_entry", True),
        ("MEMBER", ["read", "write"], "get_project", True),
        ("MEMBER", ["read", "write"], "archive_project", False),
    ],
)
def test_what_a_token_may_call_follows_its_role_and_scopes(
    role: str, scopes: list[str], tool: str, expected: bool
) -> None:
    assert is_allowed(TOOLS[tool], role=role, scopes=scopes) is expected


def test_a_tokens_time_line_tells_what_came_when(cast: Cast, browse: Browse) -> None:
    token = cast.tokens["owner"]
    make_call(token, at=NOW - timedelta(days=9), address="198.51.100.7")
    make_call(token, "delete_client", at=NOW - timedelta(days=1), address="192.0.2.9")
    start_rotation(
        workspace=cast.workspace,
        env="live",
        prefix=token.prefix,
        kind="planned",
        actor=cast.people["admin"].display_identity,
    )
    page = _text(browse("owner"), f"/tokens/{token.pk}/")
    life = page[page.index("Timeline") :]
    assert life.index("Last used") < life.index("First deletion") < life.index("New network 192.0.2.0/24") + 200
    assert "First used" in life
    assert "Rotation requested by Admin Person" in life
