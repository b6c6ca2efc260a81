"""What a synchronization makes of Hoursmith's list: moved addresses, people who come back, and faults."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import DataError
from django.test import Client

from hoursmith_console.accounts.addresses import find_account, find_verified_account, verified_addresses
from hoursmith_console.workspaces.invitations import invite
from hoursmith_console.workspaces.member_list import MemberListError
from hoursmith_console.workspaces.member_sync import SyncResult, sync_members
from hoursmith_console.workspaces.models import Invitation, Member, Role
from hoursmith_console.workspaces.services import import_member, link_account
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import PASSWORD, ROLES, Cast, account_of
from tests.hoursmith_console.sign_in.people import is_in, operators_link, password_given, recent
from tests.oidc_provider import Provider, configure, oidc_provider, visit

Browse = Callable[[str], Client]
INVITATIONS = "/accounts/invitations/"


@pytest.fixture(autouse=True)
def _fresh_limits() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def provider(settings: Any, cast: Cast) -> Iterator[Provider]:
    with oidc_provider() as made:
        configure(settings, made)
        yield made


def listed(name: str, role: str = "", **changes: Any) -> dict[str, Any]:
    """Hoursmith's member object of somebody of the cast, or of somebody new."""
    facts = {
        "id": f"member-{name}",
        "userId": f"user-{name}",
        "name": f"{name.capitalize()} Person",
        "email": f"{name}@example.com",
        "role": role or (name.upper() if name in ROLES else "MEMBER"),
    }
    return {**facts, **changes}


def sync(cast: Cast, *members: Any, keep: tuple[str, ...] = ()) -> SyncResult:
    """Synchronize Acme with its owner, those to keep, and `members`."""
    roll = [listed("owner"), *(listed(name) for name in keep), *members]
    return sync_members(workspace=cast.workspace, members=roll, actor="ana (command line)")


def member(cast: Cast, name: str) -> Member:
    return Member.objects.get(workspace=cast.workspace, user_ref=f"user-{name}")


def by_openid(provider: Provider, subject: str, email: str) -> tuple[Client, Any]:
    """A browser in which somebody signed in at the provider, and what the console answered."""
    provider.person = {"sub": subject, "email": email, "email_verified": True}
    client = Client()
    return client, visit(client)


# addresses that move


def test_the_next_holder_of_an_address_is_not_signed_in_as_the_one_before(cast: Cast, provider: Provider) -> None:
    first, _ = by_openid(provider, "s-manager", "manager@example.com")
    assert is_in(first)
    synced = sync(
        cast, listed("manager", email="manager-now@example.com"), listed("second", email="manager@example.com")
    )
    assert synced.moved == {"manager@example.com": "manager-now@example.com"}
    second, answer = by_openid(provider, "s-second", "manager@example.com")
    assert (answer.status_code, is_in(second)) == (403, False)
    invite(
        workspace=cast.workspace,
        email="manager@example.com",
        role="MEMBER",
        channel=Invitation.Channel.CONSOLE,
        actor="Owner",
    )
    second, answer = by_openid(provider, "s-second", "manager@example.com")
    assert answer["Location"] == INVITATIONS
    invitation = Invitation.objects.get()
    assert second.post(INVITATIONS, {"invitation": invitation.pk, "do": "accept"}).status_code == 302
    assert "Second Person" in second.get("/").content.decode()
    # The first goes on as before, under the new address, which their provider can prove.
    first, _ = by_openid(provider, "s-manager", "manager-now@example.com")
    assert "Manager Person" in first.get("/").content.decode()
    assert verified_addresses(account_of(member(cast, "manager"))) == ["manager-now@example.com"]


def test_a_moved_address_finds_its_old_account_no_longer(cast: Cast) -> None:
    user = account_of(cast.people["manager"])
    sync(cast, listed("manager", email="manager-now@example.com"))
    assert find_verified_account("manager@example.com") is None
    assert find_account("manager@example.com") is None
    assert find_account("manager-now@example.com") == user
    assert verified_addresses(user) == []
    user.refresh_from_db()
    assert user.email == "manager-now@example.com"
    client = Client()
    assert client.post("/accounts/login/", {"login": "manager@example.com", "password": PASSWORD}).status_code == 200
    client.post("/accounts/login/", {"login": "manager-now@example.com", "password": PASSWORD})
    assert is_in(client)


def test_swapped_addresses_swap_the_accounts_names_and_nothing_else(cast: Cast) -> None:
    before = {name: account_of(cast.people[name]) for name in ("manager", "member")}
    synced = sync(cast, listed("manager", email="member@example.com"), listed("member", email="Manager@Example.com"))
    assert synced.problems == []
    assert {name: account_of(member(cast, name)) for name in before} == before
    assert find_account("member@example.com") == before["manager"]
    assert find_account("manager@example.com") == before["member"]
    assert find_verified_account("member@example.com") is None
    assert "Manager Person" in password_given("member").get("/").content.decode()


def test_an_address_that_another_account_uses_is_not_taken_and_said_so(cast: Cast) -> None:
    synced = sync(cast, listed("manager", email="outsider@example.com"))
    assert "another account uses that address" in synced.problems[0]
    assert find_verified_account("outsider@example.com") == cast.people["outsider"].user
    # The old address is left as a name to sign in with, and proves nothing.
    assert is_in(password_given("manager"))
    assert find_verified_account("manager@example.com") is None
    row = AuditEvent.objects.get(tool="console.members_sync")
    assert row.arguments["problems"] == synced.problems


def test_another_way_to_write_an_address_moves_nothing(cast: Cast) -> None:
    synced = sync(cast, listed("manager", email=" MANAGER@example.com "))
    assert (synced.moved, synced.problems) == ({}, [])
    assert find_verified_account("manager@example.com") == cast.people["manager"].user


# people who leave, and come back


def test_somebody_who_came_back_under_a_new_user_id_accepts_inside_their_account(cast: Cast) -> None:
    user = account_of(cast.people["manager"])
    sync(cast)
    assert password_given("manager").get("/").status_code == 404
    synced = sync(cast, listed("back", email="manager@example.com"))
    assert "must verify the address again" in synced.problems[0]
    assert member(cast, "back").user is None
    client = password_given("manager")
    assert client.get("/").status_code == 404
    link = operators_link("manager@example.com", "member", cast.workspace)
    client.get(link, follow=True)
    recent(client)
    invitation = Invitation.objects.get()
    assert client.post(INVITATIONS, {"invitation": invitation.pk, "do": "accept"}).status_code == 302
    assert "Back Person" in client.get("/").content.decode()
    assert (member(cast, "back").user, member(cast, "manager").user) == (user, None)


def test_somebody_who_came_back_and_signs_in_with_openid_connect_proves_it_by_that(
    cast: Cast, provider: Provider
) -> None:
    by_openid(provider, "s-manager", "manager@example.com")
    sync(cast)
    sync(cast, listed("back", email="manager@example.com"))
    assert by_openid(provider, "s-manager", "manager@example.com")[1].status_code == 403
    invite(
        workspace=cast.workspace,
        email="manager@example.com",
        role="MEMBER",
        channel=Invitation.Channel.CONSOLE,
        actor="O",
    )
    client, answer = by_openid(provider, "s-manager", "manager@example.com")
    assert answer["Location"] == INVITATIONS
    recent(client)
    client.post(INVITATIONS, {"invitation": Invitation.objects.get().pk, "do": "accept"})
    assert "Back Person" in client.get("/").content.decode()


def test_another_person_with_the_address_of_one_who_left_gets_an_account_of_their_own(
    cast: Cast, provider: Provider, trusted: Browse
) -> None:
    # The one who left is still a member of Globex.
    elsewhere = import_member(
        workspace=cast.other, member_id="x", user_ref="x", name="M", email="manager@example.com", role="ADMIN"
    )
    link_account(member=elsewhere, user=account_of(cast.people["manager"]))
    sync(cast)
    sync(cast, listed("heir", email="manager@example.com"))
    trusted("owner").post("/members/invite/", {"email": "manager@example.com", "role": "MEMBER"})
    heir, answer = by_openid(provider, "s-heir", "manager@example.com")
    assert (answer.status_code, is_in(heir)) == (403, False)
    assert visit(heir, new="1")["Location"] == INVITATIONS
    heir.post(INVITATIONS, {"invitation": Invitation.objects.get().pk, "do": "accept"})
    page = heir.get("/").content.decode()
    assert "Heir Person" in page
    assert "Globex" not in page


def test_who_comes_back_under_the_same_user_id_has_their_account_again(cast: Cast) -> None:
    sync(cast)
    assert password_given("manager").get("/").status_code == 404
    sync(cast, keep=("manager",))
    assert is_in(password_given("manager"))


def test_those_who_left_lose_access_even_where_the_rest_fails(
    cast: Cast, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = browse("manager")
    assert is_in(theirs)

    def refuse(**_: object) -> None:
        raise RuntimeError("whatever comes after")

    monkeypatch.setattr("hoursmith_console.workspaces.member_sync.import_member", refuse)
    with pytest.raises(RuntimeError):
        sync(cast)
    assert theirs.get("/").status_code == 302
    assert not member(cast, "manager").is_active


# who was invited before the list named them


def test_an_account_without_proof_does_not_become_whom_the_list_names(cast: Cast) -> None:
    """An Admin who took an operator's link for an address is not made Owner by its arrival on the list."""
    link = operators_link("boss@example.com", "member", cast.workspace)
    squatter = Client()
    page = squatter.get(link, follow=True)
    squatter.post(page.request["PATH_INFO"], {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert is_in(squatter)
    sync(cast, listed("boss", "ADMIN"))
    assert squatter.get("/").status_code in (302, 404)
    assert member(cast, "boss").user is None


def test_somebody_invited_by_their_proven_address_becomes_whom_the_list_names(cast: Cast, provider: Provider) -> None:
    invite(
        workspace=cast.workspace,
        email="new@example.com",
        role="MEMBER",
        channel=Invitation.Channel.CONSOLE,
        actor="O",
        allow_unlisted=True,
    )
    client, _ = by_openid(provider, "s-new", "new@example.com")
    client.post(INVITATIONS, {"invitation": Invitation.objects.get().pk, "do": "accept"})
    assert is_in(client)
    synced = sync(cast, listed("new", "MANAGER"))
    assert synced.changed == {"new@example.com": "MEMBER → MANAGER"}
    assert member(cast, "new").role == Role.MANAGER
    assert is_in(client)


def test_an_invitation_waits_for_the_list_and_counts_for_the_same_role_alone(cast: Cast) -> None:
    same = operators_link("same@example.com", "member", cast.workspace)
    more = operators_link("more@example.com", "member", cast.workspace)
    sync(cast, listed("same"), listed("more", "ADMIN"))
    assert Client().get(same).status_code == 302
    assert Client().get(more).status_code == 404


# lists with faults


def test_faults_of_a_list_are_named_and_stop_nothing(cast: Cast) -> None:
    synced = sync(
        cast,
        listed("fine"),
        "no object",
        {"name": "Without id", "email": "without@example.com", "role": "MEMBER"},
        listed("manager", role="GUEST"),
        listed("member", email=None),
        listed("new", email="not an address"),
        listed("twice", role="ADMIN"),
        listed("twice", role="MEMBER"),
        listed("other-fine", email="fine@example.com"),
        {**listed("long"), "name": "x" * 900, "id": "y" * 900},
        {**listed("nul"), "name": "N\0ul\r\nPerson"},
        {**listed("bad"), "userId": "u" * 65},
        {**listed("bad"), "userId": "invited:somebody"},
        {**listed("bad"), "userId": 7},
    )
    active = Member.objects.filter(workspace=cast.workspace, is_active=True)
    assert {row.user_ref.removeprefix("user-") for row in active} == {
        "owner", "fine", "manager", "member", "twice", "other-fine", "long", "nul",
    }  # fmt: skip
    assert member(cast, "manager").role == Role.MEMBER
    assert member(cast, "member").email == "member@example.com"
    assert member(cast, "twice").role == Role.MEMBER
    assert member(cast, "nul").name == "N ul Person"
    told = "\n".join(synced.problems)
    for words in (
        "Entry 3 of Hoursmith's list has no usable userId",
        "Manager Person (manager@example.com) has an unknown role",
        "Member Person (user-member) has no usable e-mail address",
        "New Person (user-new) has no usable e-mail address",
        "Twice Person (twice@example.com) is listed twice",
        "Other-fine Person (fine@example.com) and Fine Person (fine@example.com) have the same address",
    ):
        assert words in told
    assert AuditEvent.objects.get(tool="console.members_sync").arguments["problems"] == synced.problems


def test_a_row_that_the_database_refuses_is_named_and_the_others_come_in(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def picky(**facts: Any) -> Member:
        if facts["name"] == "Bad Person":
            raise DataError("value too long")
        return import_member(**facts)

    monkeypatch.setattr("hoursmith_console.workspaces.member_sync.import_member", picky)
    synced = sync(cast, listed("bad"), listed("fine"))
    assert synced.problems == ["Bad Person (bad@example.com) was not imported: DataError."]
    assert member(cast, "fine").is_active


@pytest.mark.parametrize("members", [[], [listed("manager")], ["nothing"]])
def test_a_list_without_an_owner_is_no_list_and_shuts_nobody_out(cast: Cast, members: list[Any]) -> None:
    with pytest.raises(MemberListError, match="has no Owner"):
        sync_members(workspace=cast.workspace, members=members, actor="ana")
    assert Member.objects.filter(workspace=cast.workspace, is_active=True).count() == len(ROLES)


def test_two_members_with_one_address_are_not_taken_for_each_other(cast: Cast, trusted: Browse) -> None:
    sync(cast, listed("one", email="same@example.com"), listed("two", email="same@example.com"))
    page = trusted("owner").post("/members/invite/", {"email": "same@example.com", "role": "MEMBER"}, follow=True)
    assert "Two members have the address same@example.com" in page.content.decode()
    assert not Invitation.objects.exists()


def test_synchronizing_one_workspace_changes_nothing_of_another(cast: Cast) -> None:
    before = list(Member.objects.filter(workspace=cast.other).values())
    sync(cast, listed("outsider", userId="user-new", email="new@example.com"))
    assert list(Member.objects.filter(workspace=cast.other).values()) == before
    assert User.objects.filter(pk=cast.people["outsider"].user_id).exists()
