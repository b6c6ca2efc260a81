"""Tenants never meet, and who reviews sees more than who works (G5)."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from hoursmith_console.tokens.querysets import visible_clients, visible_losses, visible_rejections, visible_rows
from hoursmith_console.tokens.services import claim_token
from hoursmith_console.workspaces.models import Member
from hoursmith_console.workspaces.services import import_member, link_account
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ActivityLoss, AuditEvent, ObservedToken, RejectedCredential, ToolCall
from tests.hoursmith_console.conftest import PASSWORD, ROLES, Cast, account_of
from tests.hoursmith_console.records import make_audit, make_call, make_client, make_refusal, make_token

Browse = Callable[[str], Client]
MODELS = (ObservedToken, ToolCall, AuditEvent)


def _viewer(cast: Cast, name: str) -> Viewer:
    return Viewer(cast.people[name], [cast.people[name]])


@pytest.fixture
def records(cast: Cast) -> None:
    """One call and one deletion with everybody's token."""
    for token in cast.tokens.values():
        make_call(token)
        make_audit(token)


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", ["owner", "admin"])
def test_who_reviews_sees_everybody_in_the_workspace_and_nobody_else(cast: Cast, name: str, model: type) -> None:
    seen = {row.prefix for row in visible_rows(_viewer(cast, name), model.objects.all())}
    assert seen == {cast.tokens[role].prefix for role in ROLES}


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", ["manager", "member"])
def test_who_works_sees_only_what_their_own_tokens_did(cast: Cast, name: str, model: type) -> None:
    seen = {row.prefix for row in visible_rows(_viewer(cast, name), model.objects.all())}
    assert seen == {cast.tokens[name].prefix}


@pytest.mark.usefixtures("records")
def test_a_claim_shows_nothing_of_another_workspace(cast: Cast) -> None:
    # A claim names a prefix, and prefixes know no workspace: the workspace is compared on top of it.
    foreign = make_token(cast.other.org_id, "ffffffffffff")
    make_call(foreign)
    claim_token(env="live", prefix="ffffffffffff", member=cast.people["member"], source="claimed")
    assert not visible_rows(_viewer(cast, "member"), ToolCall.objects.filter(prefix="ffffffffffff")).exists()


def test_a_token_of_another_environment_with_the_same_prefix_is_not_ones_own(cast: Cast) -> None:
    other = make_token(cast.org_id, cast.tokens["member"].prefix, env="test")
    make_call(other)
    assert not visible_rows(_viewer(cast, "member"), ToolCall.objects.all()).exists()


def test_who_has_no_token_sees_nothing(cast: Cast) -> None:
    newcomer = import_member(
        workspace=cast.workspace, member_id="n", user_ref="n", name="New", email="new@example.com", role="MEMBER"
    )
    make_call(make_token(cast.org_id, "", name="without prefix"))
    assert not visible_rows(Viewer(newcomer, [newcomer]), ToolCall.objects.all()).exists()


def test_assistants_are_seen_with_the_tokens_that_they_used(cast: Cast) -> None:
    for token in cast.tokens.values():
        make_client(token, name=f"assistant of {token.role}")
    assert {client.name for client in visible_clients(_viewer(cast, "member"))} == {"assistant of MEMBER"}
    assert visible_clients(_viewer(cast, "owner")).count() == len(ROLES)


def test_refused_attempts_are_seen_only_with_ones_own_prefixes(cast: Cast) -> None:
    for token in cast.tokens.values():
        make_refusal(token)
    now = timezone.now()
    RejectedCredential.objects.create(env="live", prefix="eeeeeeeeeeee", fault="rejected", first_at=now, last_at=now)
    RejectedCredential.objects.create(env="", prefix="", fault="missing", first_at=now, last_at=now)

    def prefixes(name: str) -> set[str]:
        return {row.prefix for row in visible_rejections(_viewer(cast, name))}

    assert prefixes("admin") == {cast.tokens[role].prefix for role in ROLES}
    assert prefixes("manager") == {cast.tokens["manager"].prefix}
    assert prefixes("outsider") == {cast.tokens["outsider"].prefix}


def test_lost_activity_is_shown_to_who_reviews_the_workspace(cast: Cast) -> None:
    now = timezone.now()
    ActivityLoss.objects.create(org_id=cast.org_id, since=now, until=now, calls=3)
    counts = {name: visible_losses(_viewer(cast, name)).count() for name in cast.people}
    assert counts == {"owner": 1, "admin": 1, "manager": 0, "member": 0, "outsider": 0}


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize("address", ["/", "/tokens/", "/audit/", "/activity/"])
@pytest.mark.parametrize("name", ["member", "outsider"])
def test_no_page_names_what_its_reader_may_not_see(cast: Cast, browse: Browse, name: str, address: str) -> None:
    page = browse(name).get(address).content.decode()
    assert cast.tokens[name].prefix in page or address == "/"
    for other, token in cast.tokens.items():
        if other != name:
            assert token.prefix not in page
            assert token.token_name not in page


@pytest.mark.parametrize("query", ["token=live_0a2c1bdedf00", "assistant=Secret", "q=Secret"])
@pytest.mark.parametrize("area", ["audit", "activity"])
def test_a_filter_finds_nothing_out_of_sight(cast: Cast, browse: Browse, area: str, query: str) -> None:
    hidden = cast.tokens["owner"]
    assert hidden.prefix == "0a2c1bdedf00"
    make_client(hidden, name="Secret assistant")
    make_call(hidden, client_name="Secret assistant")
    make_audit(hidden, client_name="Secret assistant")
    page = browse("member").get(f"/{area}/?{query}").content.decode()
    assert "Secret assistant" not in page


def test_a_superuser_gets_nothing_extra(cast: Cast) -> None:
    root = User.objects.create_superuser("root", "root@example.com", PASSWORD)
    client = Client()
    client.force_login(root)
    make_call(cast.tokens["owner"])
    for address in ("/", "/tokens/", "/audit/", "/activity/"):
        assert client.get(address).status_code == 404


def test_a_superuser_who_is_a_member_sees_as_a_member(cast: Cast, browse: Browse) -> None:
    User.objects.filter(email="member@example.com").update(is_superuser=True, is_staff=True)
    call = make_call(cast.tokens["owner"])
    assert browse("member").get(f"/activity/{call.pk}/").status_code == 404


def test_who_is_no_longer_active_finds_nothing(cast: Cast, browse: Browse) -> None:
    visitor = browse("admin")
    assert visitor.get("/").status_code == 200
    Member.objects.filter(pk=cast.people["admin"].pk).update(is_active=False)
    assert visitor.get("/").status_code == 404


def test_a_person_of_two_workspaces_chooses_one(cast: Cast, browse: Browse) -> None:
    second = import_member(
        workspace=cast.other, member_id="x", user_ref="x", name="Owner", email="owner@example.com", role="MEMBER"
    )
    link_account(member=second, user=account_of(cast.people["owner"]))
    call = make_call(cast.tokens["owner"])
    visitor = browse("owner")
    assert visitor.get(f"/activity/{call.pk}/").status_code == 200
    assert visitor.post("/workspace/", {"workspace": cast.other.pk}).status_code == 302
    assert visitor.get(f"/activity/{call.pk}/").status_code == 404
    assert "Globex Ltd" in visitor.get("/").content.decode()


def test_nobody_chooses_a_workspace_that_is_not_theirs(cast: Cast, browse: Browse) -> None:
    visitor = browse("member")
    for chosen in (cast.other.pk, "", "x", "0"):
        assert visitor.post("/workspace/", {"workspace": chosen}).status_code == 404
    assert "Acme Studio" in visitor.get("/").content.decode()


def test_a_forgotten_choice_falls_back_to_a_workspace_of_ones_own(cast: Cast, browse: Browse) -> None:
    visitor = browse("member")
    session = visitor.session
    session["workspace"] = cast.other.pk
    session.save()
    page = visitor.get("/").content.decode()
    assert "Acme Studio" in page
    assert "Globex Ltd" not in page


@pytest.mark.parametrize(
    "address",
    [
        "/login/",
        "/logout/",
        "/password_change/",
        "/jsi18n/",
        "/autocomplete/",
        "/r/1/1/",
        "/mcpbridge/",
        "/mcpbridge/observedtoken/",
        "/auth/user/",
        "/admin/",
        "/tokens/add/",
        "/tokens/1/change/",
        "/tokens/1/delete/",
        "/tokens/1/history/",
    ],
)
def test_nothing_else_of_djangos_admin_is_served(browse: Browse, address: str) -> None:
    assert browse("owner").get(address).status_code == 404
