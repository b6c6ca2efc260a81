"""Token list and token pages."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_client, make_refusal, make_token

Browse = Callable[[str], Client]


def _found(page: str) -> list[str]:
    return re.findall(r'class="name" href="/tokens/\d+/">([^<]+)<', page.replace("&#x27;", "'"))


def test_a_row_says_role_owner_assistants_and_last_use(cast: Cast, browse: Browse) -> None:
    token = cast.tokens["manager"]
    for name in ("Cursor", "Claude Desktop", "n8n"):
        make_client(token, name=name)
    page = browse("owner").get("/tokens/").content.decode()
    for words in (
        f"hsk_live_{token.prefix}_••••",
        f'data-copy="hsk_live_{token.prefix}"',
        "Manager Person",
        "role-manager",
        "list_clients",
        "and 1 more",
    ):
        assert words in page


def test_the_one_who_owns_a_token_is_not_guessed(cast: Cast, browse: Browse) -> None:
    make_token(cast.org_id, "cccccccccccc", name="nobody's")
    assert '<span class="quiet">unknown</span>' in browse("owner").get("/tokens/?q=nobody").content.decode()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?role=ADMIN", {"admin's laptop"}),
        ("?used=day", {"owner's laptop", "admin's laptop", "manager's laptop", "member's laptop"}),
        ("?used=week", {"owner's laptop", "admin's laptop", "manager's laptop", "member's laptop", "middle"}),
        ("?used=idle", {"old"}),
        ("?assistant=Cursor", {"member's laptop"}),
        ("?q=member", {"member's laptop"}),
        ("?q=3a2c1bdedf00", {"member's laptop"}),
        ("?q=hsk_live_3a2c1bdedf00", {"member's laptop"}),
        ("?q=hsk_test_3a2c1bdedf00", set()),
        ("?assistant=Cursor&role=OWNER", set()),
    ],
)
def test_tokens_are_filtered_by_the_address(cast: Cast, browse: Browse, query: str, expected: set[str]) -> None:
    make_client(cast.tokens["member"], name="Cursor", version="1")
    make_client(cast.tokens["member"], name="Cursor", version="2")
    now = timezone.now()
    make_token(cast.org_id, "dddddddddddd", name="middle", last_used_at=now - timedelta(days=3))
    make_token(cast.org_id, "cccccccccccc", name="old", last_used_at=now - timedelta(days=90))
    found = _found(browse("owner").get(f"/tokens/{query}").content.decode())
    assert set(found) == expected
    assert len(found) == len(expected)


def test_the_page_of_a_token_gathers_what_is_known(cast: Cast, browse: Browse) -> None:
    token = cast.tokens["member"]
    make_client(token, name="Cursor", connection="ana-laptop")
    make_refusal(token, fault="rejected", attempts=214)
    page = browse("member").get(f"/tokens/{token.pk}/").content.decode()
    for words in ("Member Person", "ana-laptop", "Rejected requests", "Hoursmith does not accept it", "214"):
        assert words in page
