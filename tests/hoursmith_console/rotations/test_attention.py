"""What needs attention on the overview: requested rotations, leaked tokens and the token policy."""

import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.leaked_tokens.models import LeakReport
from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.token_policy.models import TokenPolicy
from mcpbridge.models import ObservedToken, TokenTool
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_token

Browse = Callable[[str], Client]
NOW = timezone.now()


def _page(client: Client, address: str = "/") -> str:
    return " ".join(client.get(address).content.decode().replace("&#x27;", "'").split())


def _words(client: Client, address: str = "/") -> str:
    """The page without its markup."""
    return " ".join(re.sub(r"<[^>]+>", "", _page(client, address)).split())


@pytest.fixture
def policy(cast: Cast) -> TokenPolicy:
    ObservedToken.objects.filter(prefix=cast.tokens["member"].prefix).update(first_used_at=NOW - timedelta(days=91))
    make_token(cast.org_id, "aaaaaaaaaaaa", first_used_at=NOW - timedelta(days=91))
    return TokenPolicy.objects.create(workspace=cast.workspace, max_age_days=90, max_idle_days=30)


@pytest.mark.usefixtures("policy")
def test_reviewers_see_how_many_tokens_are_due(cast: Cast, browse: Browse) -> None:
    make_token(cast.org_id, "bbbbbbbbbbbb", last_used_at=NOW - timedelta(days=31))
    page = _words(browse("admin"))
    assert "2 tokens are older than 90 days" in page
    assert "1 token is unused for 30 days" in page


@pytest.mark.usefixtures("policy")
def test_other_members_are_told_about_their_own_tokens(browse: Browse) -> None:
    assert "member's laptop</strong> exceeds the maximum age of 90 days" in _page(browse("member"))
    assert "90 days" not in _page(browse("manager"))


def test_a_request_is_shown_until_snoozed_and_again_at_the_next_sign_in(cast: Cast, browse: Browse) -> None:
    start_rotation(
        env="live",
        prefix=cast.tokens["member"].prefix,
        workspace=cast.workspace,
        kind="planned",
        actor=cast.people["admin"].display_identity,
        due_on=date(2030, 1, 31),
    )
    asked = "Rotate your token member's laptop by 31 Jan 2030"
    client = browse("member")
    assert asked in _words(client)
    assert asked not in _words(browse("admin"))
    assert asked not in _words(browse("outsider"))
    client.post("/rotations/requests/snooze/")
    assert asked not in _words(client)
    user = cast.people["member"].user
    assert user is not None
    client.force_login(user)
    assert asked in _words(client)


def test_an_overdue_rotation_is_shown_as_overdue(cast: Cast, browse: Browse) -> None:
    start_rotation(
        env="live",
        prefix=cast.tokens["member"].prefix,
        workspace=cast.workspace,
        kind="planned",
        actor="Ana",
        due_on=date(2020, 1, 31),
    )
    assert "overdue since 31 Jan 2020" in _words(browse("member"))


def test_a_reported_token_needs_the_attention_of_members_who_may_block_it(cast: Cast, browse: Browse) -> None:
    LeakReport.objects.create(
        workspace=cast.workspace, env="live", prefix=cast.tokens["member"].prefix, reported_by="Bob"
    )
    for person, is_told in (("owner", True), ("member", True), ("manager", False), ("outsider", False)):
        assert ("reported as leaked" in _page(browse(person))) is is_told, person


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize(
    ("state", "found"), [("due", {"member's laptop", "Ana's laptop"}), ("idle", {"old"}), ("over-powered", {"strong"})]
)
def test_the_list_of_tokens_is_filtered_by_state_and_says_why(
    cast: Cast, browse: Browse, state: str, found: set[str]
) -> None:
    make_token(cast.org_id, "bbbbbbbbbbbb", name="old", last_used_at=NOW - timedelta(days=31))
    strong = make_token(cast.org_id, "cccccccccccc", name="strong", role="ADMIN")
    TokenTool.objects.create(token=strong, tool="get_me", calls=20, first_at=NOW, last_at=NOW)
    page = _page(browse("owner"), f"/tokens/?policy={state}")
    shown = set(re.findall(r'class="name" href="/tokens/\d+/">([^<]+)<', page))
    assert shown == found
    label = {"due": "flag-due", "idle": "flag-idle", "over-powered": "MEMBER is enough · read-only use"}[state]
    assert label in page


def test_the_page_of_a_token_explains_the_hint(cast: Cast, browse: Browse) -> None:
    token = cast.tokens["admin"]
    TokenTool.objects.create(token=token, tool="list_tasks", calls=20, first_at=NOW, last_at=NOW)
    page = _page(browse("owner"), f"/tokens/{token.pk}/")
    assert "This ADMIN token made only MEMBER-level and read-only calls in 20 days." in page
    assert "limited to tasks of their projects" in page
    assert "Calls made outside this console are not counted" in page
