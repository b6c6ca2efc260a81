"""An account comes into a workspace by a decision of its user alone, and no address without proof finds one.

Two workspaces, Acme and Globex; an Admin of Acme who wants into Globex; Vera, whom Globex really wants.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client

from hoursmith_console.accounts.addresses import find_account, find_verified_account, verified_addresses
from hoursmith_console.workspaces.models import Invitation, Member, Workspace
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import PASSWORD, Cast, account_of
from tests.hoursmith_console.members.test_members import LINK
from tests.hoursmith_console.sign_in.people import is_in, operators_link, recent, told
from tests.oidc_provider import Provider, configure, oidc_provider, visit

Browse = Callable[[str], Client]
VERA = "vera@example.com"
OTHER_PASSWORD = "a quite different passphrase"
INVITATIONS = "/accounts/invitations/"


@pytest.fixture
def with_mail(settings: Any) -> None:
    settings.EMAIL_BACKEND = "tests.mail_backend.EmailBackend"


@pytest.fixture
def provider(settings: Any, cast: Cast) -> Iterator[Provider]:
    """A provider that knows Vera and has verified her address."""
    with oidc_provider() as made:
        made.person = {"sub": "vera-1", "email": VERA, "email_verified": True}
        configure(settings, made)
        yield made


@pytest.fixture(autouse=True)
def _proofs(db: None) -> Iterator[None]:
    """Whatever happened in the test: an address counts as verified exactly where there is a proof."""
    yield
    assert not EmailAddress.objects.exclude(verified=True, verification__isnull=False).exclude(
        verified=False, verification__isnull=True
    )


def account_made(link: str, password: str = PASSWORD) -> Client:
    """A browser in which the link was followed and an account made."""
    client = Client()
    page = client.get(link, follow=True)
    answer = client.post(page.request["PATH_INFO"], {"new_password1": password, "new_password2": password})
    assert answer.status_code in (200, 302), answer.content.decode()
    return client


def signed_in(email: str, password: str = PASSWORD) -> Client:
    """A browser in which somebody signed in with a password a moment ago."""
    client = Client()
    assert client.post("/accounts/login/", {"login": email, "password": password}).status_code == 302
    return recent_with(client, password)


def recent_with(client: Client, password: str) -> Client:
    client.post("/accounts/reauthenticate/", {"password": password})
    return client


def mailed_link() -> str:
    """The link in the last message."""
    found = LINK.search(str(mail.outbox[-1].body))
    assert found is not None
    return found[0]


def squat(workspace: Workspace) -> Client:
    """The attack: an Admin of Acme invites Vera's address, gets an operator's link and uses it for themselves."""
    return account_made(operators_link(VERA, "admin", workspace))


def member_of(workspace: Workspace, email: str = VERA) -> Member:
    return Member.objects.get(workspace=workspace, email=email, is_active=True)


def decide(client: Client, workspace: Workspace, do: str = "accept", email: str = VERA) -> Any:
    invitation = Invitation.objects.get(member=member_of(workspace, email), closed_at=None)
    return client.post(INVITATIONS, {"invitation": invitation.pk, "do": do})


def invited_by_globex(trusted: Browse) -> str:
    """What Globex' Owner reads after they invited Vera as a Member."""
    answer = trusted("outsider").post("/members/invite/", {"email": VERA, "role": "MEMBER", "unlisted": "on"})
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_without_mail_a_squatted_address_is_not_let_into_a_second_workspace(cast: Cast, trusted: Browse) -> None:
    attacker = squat(cast.workspace)
    assert is_in(attacker)
    page = invited_by_globex(trusted)
    assert not LINK.search(page)
    assert member_of(cast.other).user is None
    assert "Globex" not in attacker.get("/").content.decode()
    offered = recent(attacker).get(INVITATIONS).content.decode()
    assert "Globex" not in offered
    assert decide(attacker, cast.other).status_code == 404
    assert member_of(cast.other).user is None
    assert told("org-globex") == ["invite"]


def test_without_mail_an_operator_gives_the_real_person_an_account_of_her_own(cast: Cast, trusted: Browse) -> None:
    attacker = squat(cast.workspace)
    invited_by_globex(trusted)
    link = operators_link(VERA, "member", cast.other)
    page = Client().get(link, follow=True).content.decode()
    assert "An account with this address already exists" in page
    assert "new_password1" not in page
    vera = account_made(operators_link(VERA, "member", cast.other, "--new-account"), OTHER_PASSWORD)
    assert "Globex" in vera.get("/").content.decode()
    assert "Acme" not in vera.get("/").content.decode()
    assert account_of(member_of(cast.other)) != account_of(member_of(cast.workspace))
    # The address names the new account alone; the one that used it without proof goes on, without Globex.
    assert find_account(VERA) == account_of(member_of(cast.other))
    assert "Globex" not in attacker.get("/").content.decode()
    assert told()[-1] == "address_lost"
    assert "Globex" not in str(list(AuditEvent.objects.filter(org_id=cast.org_id).values()))


@pytest.mark.usefixtures("with_mail")
def test_with_mail_the_link_goes_to_the_address_and_makes_an_account_of_its_own(
    cast: Cast, trusted: Browse, mailoutbox: list[Any]
) -> None:
    attacker = squat(cast.workspace)
    assert not LINK.search(invited_by_globex(trusted))
    assert [message.to for message in mail.outbox] == [[VERA]]
    vera = account_made(mailed_link(), OTHER_PASSWORD)
    assert "Globex" in vera.get("/").content.decode()
    proven = find_verified_account(VERA)
    assert proven == account_of(member_of(cast.other))
    assert "Globex" not in attacker.get("/").content.decode()
    assert Client().post("/accounts/login/", {"login": VERA, "password": PASSWORD}).status_code == 200
    assert is_in(signed_in(VERA, OTHER_PASSWORD))


def test_with_openid_connect_the_real_person_is_not_tied_to_the_squatters_account(
    cast: Cast, trusted: Browse, provider: Provider
) -> None:
    squat(cast.workspace)
    invited_by_globex(trusted)
    vera = Client()
    answer = visit(vera)
    assert answer.status_code == 403
    assert "not linked yet" in answer.content.decode()
    assert not is_in(vera)
    assert visit(vera, new="1")["Location"] == INVITATIONS
    assert vera.get("/").status_code == 404
    assert decide(vera, cast.other).status_code == 302
    assert "Globex" in vera.get("/").content.decode()
    assert "Acme" not in vera.get("/").content.decode()
    assert account_of(member_of(cast.workspace)) != account_of(member_of(cast.other))


def test_an_invited_person_comes_in_by_openid_connect_without_any_link(
    cast: Cast, trusted: Browse, provider: Provider
) -> None:
    before = User.objects.count()
    assert visit(Client()).status_code == 403
    assert User.objects.count() == before
    page = invited_by_globex(trusted)
    assert "sign in with" in page
    vera = Client()
    assert visit(vera)["Location"] == INVITATIONS
    assert decide(vera, cast.other).status_code == 302
    assert is_in(vera)
    assert told("org-globex") == ["invite", "invitation_accept"]


def test_a_proven_account_is_offered_a_second_workspace_and_decides_inside(cast: Cast, trusted: Browse) -> None:
    trusted("outsider").post("/members/invite/", {"email": "member@example.com", "role": "MANAGER", "unlisted": "on"})
    joined = Member.objects.get(workspace=cast.other, email="member@example.com")
    theirs = Client()
    theirs.force_login(account_of(cast.people["member"]))
    assert "Globex" not in theirs.get("/").content.decode()
    assert theirs.get(INVITATIONS)["Location"].startswith("/accounts/reauthenticate/")
    theirs = trusted("member")
    assert "Globex" in theirs.get(INVITATIONS).content.decode()
    assert decide(theirs, cast.other, email="member@example.com").status_code == 302
    joined.refresh_from_db()
    assert joined.user == cast.people["member"].user
    assert "Globex" in theirs.get("/").content.decode()
    assert told("org-globex") == ["invite", "invitation_accept"]
    assert told() == []
    # Nobody else is offered it, and nobody twice.
    assert decide_is_over(trusted("owner"), cast.other)


def decide_is_over(client: Client, workspace: Workspace) -> bool:
    page = client.get(INVITATIONS).content.decode()
    return workspace.name not in page and "No invitations" in page


def test_a_declined_invitation_is_over_and_recorded_where_it_came_from(cast: Cast, trusted: Browse) -> None:
    trusted("outsider").post("/members/invite/", {"email": "member@example.com", "role": "MANAGER", "unlisted": "on"})
    theirs = trusted("member")
    assert decide(theirs, cast.other, "decline", "member@example.com").status_code == 302
    assert decide_is_over(theirs, cast.other)
    member = Member.objects.get(workspace=cast.other, email="member@example.com")
    assert member.user is None
    assert told("org-globex") == ["invite", "invitation_decline"]


@pytest.mark.parametrize("name", ["owner", "outsider"])
def test_an_invitation_of_somebody_else_is_accepted_by_nobody(cast: Cast, trusted: Browse, name: str) -> None:
    trusted("outsider").post("/members/invite/", {"email": "member@example.com", "role": "MANAGER", "unlisted": "on"})
    visitor = trusted(name)
    assert decide_is_over(visitor, cast.other) or name == "outsider"
    assert decide(visitor, cast.other, email="member@example.com").status_code == 404


def test_an_operators_link_takes_over_no_account_and_joins_none_silently(cast: Cast) -> None:
    link = operators_link("member@example.com", "manager", cast.other)
    holder = Client()
    page = holder.get(link, follow=True)
    assert "new_password1" not in page.content.decode()
    forced = holder.post(page.request["PATH_INFO"], {"new_password1": OTHER_PASSWORD, "new_password2": OTHER_PASSWORD})
    assert forced["Location"] == page.request["PATH_INFO"]
    assert account_of(cast.people["member"]).check_password(PASSWORD)
    assert Member.objects.get(workspace=cast.other, email="member@example.com").user is None
    assert not is_in(holder)


def test_an_operators_link_is_accepted_inside_the_account_and_proves_nothing(cast: Cast) -> None:
    link = operators_link("other-address@example.com", "manager", cast.other)
    theirs = Client()
    theirs.get(link, follow=True)
    theirs.post("/accounts/login/", {"login": "member@example.com", "password": PASSWORD})
    recent(theirs)
    assert decide(theirs, cast.other, email="other-address@example.com").status_code == 302
    assert "Globex" in theirs.get("/").content.decode()
    user = account_of(cast.people["member"])
    assert verified_addresses(user) == ["member@example.com"]
    assert find_account("other-address@example.com") is None


@pytest.mark.usefixtures("with_mail")
def test_a_mailed_link_opened_inside_an_account_proves_the_address_to_it(
    cast: Cast, trusted: Browse, mailoutbox: list[Any]
) -> None:
    trusted("outsider").post("/members/invite/", {"email": "second@example.com", "role": "MANAGER", "unlisted": "on"})
    theirs = trusted("member")
    assert theirs.get(mailed_link())["Location"] == INVITATIONS
    decide(theirs, cast.other, email="second@example.com")
    user = account_of(cast.people["member"])
    assert verified_addresses(user) == ["member@example.com", "second@example.com"]


def test_a_link_ends_with_the_address_the_role_and_the_access_that_it_was_made_for(cast: Cast) -> None:
    for change in ({"email": "moved@example.com"}, {"role": "ADMIN"}, {"is_active": False}):
        Member.objects.filter(workspace=cast.other).exclude(pk=cast.people["outsider"].pk).delete()
        link = operators_link(VERA, "member", cast.other)
        opened = Client()
        page = opened.get(link, follow=True)
        Member.objects.filter(workspace=cast.other, email=VERA).update(**change)
        assert Client().get(link).status_code == 404, change
        used = opened.post(page.request["PATH_INFO"], {"new_password1": PASSWORD, "new_password2": PASSWORD})
        assert used.status_code == 404, change
        assert not Member.objects.filter(workspace=cast.other, email=VERA, user__isnull=False).exists()


def test_a_link_ends_for_good_when_the_console_is_closed_to_the_member(cast: Cast, trusted: Browse) -> None:
    link = operators_link(VERA, "member", cast.other)
    key = member_of(cast.other).pk
    trusted("outsider").post(f"/members/{key}/close/")
    assert Client().get(link).status_code == 404
    trusted("outsider").post(f"/members/{key}/open/")
    assert Client().get(link).status_code == 404


def test_a_link_ends_with_its_time(cast: Cast) -> None:
    link = operators_link(VERA, "member", cast.other)
    for invitation in Invitation.objects.all():
        Invitation.objects.filter(pk=invitation.pk).update(expires_at=invitation.created_at)
    assert "no longer valid" in Client().get(link).content.decode()


def test_failed_attempts_at_an_address_are_told_to_whoever_proved_it_alone(
    cast: Cast, trusted: Browse, provider: Provider
) -> None:
    squat(cast.workspace)
    invited_by_globex(trusted)
    vera = Client()
    visit(vera, new="1")
    decide(vera, cast.other)
    Client().post("/accounts/login/", {"login": VERA, "password": "a slip of the finger"})
    assert told("org-globex")[-1] == "sign_in_failed"
    assert "sign_in_failed" not in told()


def test_a_failed_second_factor_is_recorded_with_the_account_and_not_by_its_address(
    cast: Cast, with_app: Callable[[str], list[str]]
) -> None:
    with_app("owner")
    client = Client()
    client.post("/accounts/login/", {"login": "owner@example.com", "password": PASSWORD})
    # Whatever the account's own column says: an address names whoever proved it.
    User.objects.filter(pk=account_of(cast.people["owner"]).pk).update(email="outsider@example.com")
    client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert (told(), told("org-globex")) == (["sign_in_failed"], [])
