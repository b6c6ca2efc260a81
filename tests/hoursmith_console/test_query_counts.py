"""Pages ask the database a bounded number of questions, however many rows there are."""

import re
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.connections.services import create_connection
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.tokens.services import claim_token
from hoursmith_console.workspaces.models import Member, Workspace
from mcpbridge.models import ToolCall
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import (
    audit_pair,
    call_row,
    make_audit,
    make_call,
    make_client,
    make_grant,
    make_refusal,
    make_token,
    save_audit,
)
from tests.page_urls import console_routes
from tests.replayed import Replayed

Browse = Callable[[str], Client]
# Session, account and memberships are three; a member's own tokens are one more.
BOUNDS = {
    "/": 46,
    "/tokens/": 22,
    "/audit/": 16,
    "/audit/?live=1": 17,
    "/activity/": 15,
    "/connections/": 12,
    "/connections/authorizations/": 12,
    "/rotations/": 14,
    "/approvals/": 10,
}
MOST_ELSEWHERE = 14
# The frame of each page: the pause and the plan of the workspace, and the approvals that wait for an admin.
FRAME = 3
# Of a list: the filters' own choices, the rows in a few windows of time, and what is shown beside each.
MOST_FILTERED = {"activity": 17, "audit": 19, "tokens": 22}


def _crowd() -> None:
    workspace = Workspace.objects.get(org_id="org-acme")
    manager = Member.objects.get(workspace=workspace, role="MANAGER")
    now, calls, events = timezone.now(), [], []
    for number in range(60):
        token = make_token(workspace.org_id, f"{number:012x}", name=f"token {number}", calls_destructive=number)
        claim_token(env="live", prefix=token.prefix, member=manager, source="minted")
        for name in ("Cursor", "n8n", "Claude Code"):
            make_client(token, name=name)
        make_refusal(token)
        make_grant(token)
        create_connection(workspace=workspace, owner=manager, client="cursor", label="x", access="full", actor="x")
        for index in range(5):
            at = now - timedelta(hours=index, minutes=number)
            calls.append(call_row(token, at=at))
            events += audit_pair(token, at=at, result=None if index == 4 else "succeeded")
    members = Member.objects.bulk_create(
        Member(
            workspace=workspace,
            member_id=f"crowd-{number}",
            user_ref=f"crowd-{number}",
            name=f"Member {number}",
            email=f"member{number}@example.com",
            role="MEMBER",
        )
        for number in range(30)
    )
    TokenClaim.objects.bulk_create(
        TokenClaim(env="live", prefix=f"m{member.pk:011d}", member=member, source="minted") for member in members
    )
    ToolCall.objects.bulk_create(calls)
    save_audit(events)


_crowd_again = Replayed(_crowd)


@pytest.fixture
def crowd(cast: Cast) -> None:
    """Sixty tokens with assistants, refusals, calls and deletions, and thirty members with tokens besides."""
    _crowd_again()


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("person", ["owner", "manager"])
@pytest.mark.parametrize("address", list(BOUNDS))
def test_lists_ask_little(browse: Browse, django_assert_max_num_queries: Any, person: str, address: str) -> None:
    visitor = browse(person)
    with django_assert_max_num_queries(BOUNDS[address] + FRAME):
        assert visitor.get(address).status_code == 200


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("person", ["owner", "manager"])
def test_details_ask_little(cast: Cast, browse: Browse, django_assert_max_num_queries: Any, person: str) -> None:
    token = cast.tokens["manager"]
    for _ in range(12):
        intent, call = make_audit(token), make_call(token)
        make_client(token, name=f"assistant {call.pk}")
    visitor = browse(person)
    # An entry also asks for the entries before and after it, and for the state of its token.
    for address, bound in {
        f"/tokens/{token.pk}/": 35,
        f"/audit/{intent.call_id}/": 17,
        f"/activity/{call.pk}/": 12,
    }.items():
        # The first look at what a call sent is itself written down.
        visitor.get(address)
        with django_assert_max_num_queries(bound + FRAME):
            assert visitor.get(address).status_code == 200


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("address", ["/tokens/", "/audit/", "/activity/"])
def test_lists_count_what_they_hold_up_to_a_bound_alone(
    browse: Browse, django_capture_on_commit_callbacks: Any, django_assert_max_num_queries: Any, address: str
) -> None:
    visitor = browse("owner")
    with django_assert_max_num_queries(22 + FRAME) as captured:
        visitor.get(address)
    # Tokens are counted, up to a bound: there are thousands of them, not millions, and none for each call.
    statements = [query["sql"] for query in captured.captured_queries if "mcpbridge_observedtoken" not in query["sql"]]
    counting = [statement for statement in statements if "COUNT(" in statement.upper()]
    assert [statement for statement in counting if not re.search(r" LIMIT \d+\) subquery$", statement)] == []
    assert not [query["sql"] for query in captured.captured_queries if " OFFSET " in query["sql"].upper()]


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("person", ["owner", "manager"])
def test_every_other_page_asks_little_too(browse: Browse, django_assert_max_num_queries: Any, person: str) -> None:
    visitor, seen = browse(person), set()
    for address in sorted({f"/{route}" for route in console_routes() if "<" not in route} - set(BOUNDS)):
        with django_assert_max_num_queries(MOST_ELSEWHERE + FRAME):
            if visitor.get(address).status_code == HTTPStatus.OK:
                seen.add(address)
    looked_for = {"owner": {"/members/", "/settings/", "/audit/destinations/"}, "manager": {"/connections/new/"}}
    assert looked_for[person] <= seen


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("area", ["activity", "audit", "tokens"])
def test_every_filter_asks_little(browse: Browse, django_assert_max_num_queries: Any, area: str) -> None:
    visitor = browse("owner")
    page = visitor.get(f"/{area}/").content.decode()
    offered = re.findall(r'<select id="[^"]*" name="(\w+)">(.*?)</select>', page, re.DOTALL)
    chosen = {name: re.findall(r'<option value="([^"]+)"', options)[-1] for name, options in offered}
    assert {"activity": 7, "audit": 8, "tokens": 9}[area] <= len(chosen)
    searched = {**chosen, "q": "token 7"}
    for given in (*({name: value} for name, value in searched.items()), searched):
        with django_assert_max_num_queries(MOST_FILTERED[area] + FRAME):
            assert visitor.get(f"/{area}/", given).status_code == HTTPStatus.OK, given
