"""Authorized assistants in the console: who sees and ends which, and where else they are named."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.rotations.actions import revoke_token
from mcpbridge.grants.registration import is_client_secret, read_registration
from mcpbridge.models import AuditEvent, EndReason, Grant, ObservedConnection, TokenBlock
from tests.hoursmith_console.authorizing.requests import ask, text_of
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_call, make_client, make_grant
from tests.hoursmith_console.sandbox_members import Town

pytestmark = pytest.mark.django_db(databases="__all__")

Browse = Callable[[str], Client]
LIST = "/connections/authorizations/"
COPILOT = "https://global.consent.azure-apim.net/redirect/hoursmith-1"


@pytest.fixture
def grants(cast: Cast) -> dict[str, Grant]:
    """A grant of everybody's token."""
    return {name: make_grant(token, client_name=f"Claude of {name}") for name, token in cast.tokens.items()}


def test_reviewers_see_the_workspaces_grants_and_members_their_own(grants: dict[str, Grant], browse: Browse) -> None:
    for person, seen in (("owner", {"owner", "admin", "manager", "member"}), ("member", {"member"})):
        page = text_of(browse(person).get(LIST))
        assert {name for name in grants if f"Claude of {name}" in page} == seen
        for name, grant in grants.items():
            found = browse(person).get(f"{LIST}{grant.pk}/")
            assert found.status_code == (200 if name in seen else 404)


def test_a_row_says_whose_it_is_what_it_may_and_when_it_called_last(cast: Cast, browse: Browse) -> None:
    token = cast.tokens["manager"]
    grant = make_grant(token, is_read_only=True, ago=timedelta(days=2), days=30)
    assert "Waiting for the first call" in text_of(browse("owner").get(LIST))
    called_at = timezone.now() - timedelta(hours=3)
    make_client(token, name="claude-ai", connection=grant.connection, last_seen_at=called_at)
    # Another assistant with the same token is not this one.
    make_client(token, name="claude-ai", connection="", last_seen_at=timezone.now())
    page = text_of(browse("owner").get(LIST))
    for said in ("Claude", "claude.ai", "read only", "Manager Person", token.masked_token, "Active"):
        assert said in page, said
    assert f"{called_at:%H:%M}" in page


def test_a_grant_that_was_not_collected_counts_among_the_expired_after_a_minute(cast: Cast, browse: Browse) -> None:
    fresh = make_grant(cast.tokens["owner"], client_name="Fresh", redeemed_at=None, ago=timedelta(seconds=5))
    left = make_grant(cast.tokens["owner"], client_name="Left", redeemed_at=None, ago=timedelta(seconds=65))
    for state, shown in (("active", {fresh.pk}), ("expired", {left.pk}), ("ended", set())):
        page = browse("owner").get(f"{LIST}?state={state}").content.decode()
        assert {pk for pk in (fresh.pk, left.pk) if f"{LIST}{pk}/" in page} == shown


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ended_at": timezone.now(), "ended_why": EndReason.ASSISTANT}, "Ended"),
        ({"expires_at": timezone.now() - timedelta(hours=1)}, "Expired"),
        # The assistant did not collect it in time.
        ({"redeemed_at": None}, "Expired"),
        ({}, "Token blocked"),
    ],
)
def test_what_may_not_be_used_says_why(cast: Cast, browse: Browse, changed: dict[str, Any], said: str) -> None:
    token = cast.tokens["manager"]
    grant = make_grant(token, **changed)
    if not changed:
        TokenBlock.objects.create(env="live", prefix=token.prefix, org_id=token.org_id, blocked_at=timezone.now())
    for address in (LIST, f"{LIST}{grant.pk}/"):
        assert said in text_of(browse("owner").get(address))
    over = bool(changed)
    assert ("End access" in text_of(browse("owner").get(f"{LIST}{grant.pk}/"))) != over
    assert browse("owner").get(f"{LIST}{grant.pk}/end/").status_code == (302 if over else 200)


@pytest.mark.parametrize(("person", "whose", "status"), [
    ("owner", "member", 302), ("admin", "owner", 302), ("member", "member", 302),
    ("member", "manager", 404), ("manager", "member", 404), ("outsider", "member", 404),
])  # fmt: skip
def test_admins_end_any_grant_and_members_their_own(
    grants: dict[str, Grant], cast: Cast, browse: Browse, person: str, whose: str, status: int
) -> None:
    grant = grants[whose]
    answer = browse(person).post(f"{LIST}{grant.pk}/end/")
    assert answer.status_code == status
    grant.refresh_from_db()
    assert bool(grant.ended_at) == (status == 302)
    if status == 302:
        event = AuditEvent.objects.get(tool="console.connection_end")
        assert (event.actor, event.target_id) == (cast.people[person].display_identity, grant.pk)
        assert grant.ended_by == cast.people[person].display_identity
        page = text_of(browse("owner").get(f"/audit/{event.call_id}/"))
        assert f"ended the access of the assistant Claude of {whose}" in page
        # A second time changes and records nothing.
        browse(person).post(f"{LIST}{grant.pk}/end/")
        assert AuditEvent.objects.filter(tool="console.connection_end").count() == 1


def test_an_auditor_sees_all_and_ends_none(grants: dict[str, Grant], cast: Cast, browse: Browse) -> None:
    cast.people["manager"].is_auditor = True
    cast.people["manager"].save()
    assert "Claude of owner" in text_of(browse("manager").get(LIST))
    for name in ("owner", "manager"):
        assert "End access" not in text_of(browse("manager").get(f"{LIST}{grants[name].pk}/"))
        assert browse("manager").post(f"{LIST}{grants[name].pk}/end/").status_code == 403
    assert not Grant.objects.exclude(ended_at=None).exists()


def test_the_list_is_filtered_and_searched(grants: dict[str, Grant], cast: Cast, browse: Browse) -> None:
    Grant.objects.filter(pk=grants["admin"].pk).update(ended_at=timezone.now())
    Grant.objects.filter(pk=grants["manager"].pk).update(expires_at=timezone.now())
    for query, seen in {
        "state=active": {"owner", "member"},
        "state=ended": {"admin"},
        "state=expired": {"manager"},
        "assistant=Claude of member": {"member"},
        f"owner={cast.people['admin'].pk}": {"admin"},
        f"q={cast.tokens['member'].prefix}": {"member"},
        "q=of+manager": {"manager"},
        "q=nothing": set(),
    }.items():
        rows = browse("owner").get(f"{LIST}?{query}").content.decode().partition("<tbody")[2]
        assert {name for name in grants if f"Claude of {name}" in rows} == seen, query


def test_pages_of_the_list_follow_each_other(cast: Cast, browse: Browse) -> None:
    made = {
        make_grant(cast.tokens["owner"], ago=timedelta(minutes=number), id=f"a_b-{number:08d}").pk
        for number in range(60)
    }
    first = browse("owner").get(LIST).content.decode()
    older = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    second = browse("owner").get(f"{LIST}{older}").content.decode()
    shown = [{key for key in made if f"{LIST}{key}/" in page} for page in (first, second)]
    assert (len(shown[0]), len(shown[1])) == (50, 10)
    assert shown[0] | shown[1] == made


def test_calls_activity_and_search_name_the_grant(cast: Cast, browse: Browse) -> None:
    token = cast.tokens["manager"]
    grant = make_grant(token)
    for _ in range(3):
        make_call(token, connection=grant.connection)
    make_call(token)
    page = browse("owner").get(f"{LIST}{grant.pk}/").content.decode()
    assert f"/activity/?connection={grant.connection}&amp;token={token.token_ref.address}" in page
    assert 'data-count="3"' in page
    assert "Connection: Claude (claude.ai)" in text_of(browse("owner").get(f"/activity/?connection={grant.connection}"))
    for query in (grant.pk, grant.connection):
        assert browse("owner").get("/search/", {"q": query})["Location"] == f"{LIST}{grant.pk}/"
        assert f"{LIST}{grant.pk}/" not in str(browse("member").get("/search/", {"q": query}).headers)
    assert "Claude (claude.ai)" in text_of(browse("owner").get("/search/", {"q": "claude.ai"}, follow=True))


def test_revoking_a_token_ends_its_grants_with_it(acme: Town) -> None:
    token = acme["member"].token
    grant, other = make_grant(token), make_grant(acme["manager"].token)
    revoke_token(env="live", prefix=token.prefix, member=acme["owner"].member, reason="gone")
    grant.refresh_from_db()
    other.refresh_from_db()
    assert (grant.ended_why, other.ended_at) == (EndReason.TOKEN_REVOKED, None)
    assert grant.ended_by == acme["owner"].member.display_identity


def test_an_admin_registers_an_assistant_by_hand_and_sees_its_secret_once(cast: Cast, trusted: Browse) -> None:
    browser = trusted("admin")
    for fields, redirects in (
        ({"assistant": "Gemini Enterprise"}, "https://vertexaisearch.cloud.google.com/oauth-redirect"),
        ({"assistant": "Microsoft Copilot Studio", "redirect": COPILOT}, COPILOT),
    ):
        page = browser.post(f"{LIST}register/", fields)
        assert (page.status_code, page["Referrer-Policy"]) == (200, "no-referrer")
        assert "no-store" in page["Cache-Control"]
        said = text_of(page)
        client_id = said.partition("Client ID ")[2].partition(" ")[0]
        secret = said.partition("Client secret ")[2].partition(" ")[0]
        made = read_registration(client_id)
        assert made is not None
        assert made.has_redirect(redirects)
        assert is_client_secret(client_id, secret)
        assert "/authorize" in said
        assert "/token" in said
        event = AuditEvent.objects.order_by("sequence").last()
        assert event is not None
        assert (event.tool, event.actor) == ("console.connection_register", cast.people["admin"].display_identity)
        assert secret not in str(list(AuditEvent.objects.values()))
        # And the assistant may ask with it.
        asked = ask(Client(), client_id=client_id, redirect_uri=redirects)
        assert f"An assistant that calls itself {fields['assistant']}" in text_of(asked)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Choose the assistant."),
        ({"assistant": "Claude"}, "Choose one of these assistants."),
        ({"assistant": "Microsoft Copilot Studio"}, "has a redirect URL for each connection"),
        ({"assistant": "Microsoft Copilot Studio", "redirect": "https://evil.example/"}, "not a redirect URL of"),
        ({"assistant": "Gemini Enterprise", "redirect": COPILOT}, "not a redirect URL of Gemini Enterprise"),
        ({"assistant": "Gemini Enterprise", "redirect": "x" * 501}, "at most 500"),
    ],
)
def test_a_wrong_registration_is_explained(trusted: Browse, fields: dict[str, str], said: str) -> None:
    page = trusted("owner").post(f"{LIST}register/", fields)
    assert page.status_code == 400
    assert said in text_of(page)
    assert not AuditEvent.objects.exists()


def test_only_admins_register_and_only_after_reauthentication(browse: Browse, trusted: Browse, settings: Any) -> None:
    for person in ("manager", "member"):
        assert trusted(person).get(f"{LIST}register/").status_code == 403
        assert trusted(person).post(f"{LIST}register/", {"assistant": "Gemini Enterprise"}).status_code == 403
    assert browse("owner").get(f"{LIST}register/")["Location"].startswith("/accounts/reauthenticate/")
    settings.OAUTH = False
    assert trusted("owner").get(f"{LIST}register/").status_code == 404


def test_an_empty_list_says_how_assistants_come_into_it(browse: Browse) -> None:
    assert "No assistant has signed in yet." in text_of(browse("member").get(LIST))
    assert not ObservedConnection.objects.exists()
