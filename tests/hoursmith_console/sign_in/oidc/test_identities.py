"""Issuer and subject are who somebody is: no other subject and no other issuer comes in by an address."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from hoursmith_console.accounts.addresses import unverify_address, verified_addresses
from hoursmith_console.accounts.models import EmailVerification, OidcIdentity
from hoursmith_console.workspaces.services import create_account, draft_account, import_member
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import Cast, account_of
from tests.hoursmith_console.sign_in.people import is_in, told
from tests.oidc_provider import Provider, configure, oidc_provider, visit

OWNER = {"sub": "person-1", "email": "owner@example.com", "email_verified": True}
METHODS = "/accounts/openid/"
Browse = Callable[[str], Client]


@pytest.fixture
def first(settings: Any, cast: Cast) -> Iterator[Provider]:
    """The issuer that the console uses."""
    with oidc_provider() as made:
        made.person = dict(OWNER)
        configure(settings, made)
        yield made


@pytest.fixture
def second() -> Iterator[Provider]:
    """Another issuer, which has the same subjects, of other people."""
    with oidc_provider() as made:
        made.person = dict(OWNER)
        yield made


def identities(user: User) -> list[tuple[str, str]]:
    return [(row.issuer, row.subject) for row in user.oidc_identities.all()]


def test_a_second_subject_with_the_same_verified_address_is_refused(cast: Cast, first: Provider) -> None:
    visit(Client())
    first.person["sub"] = "person-2"
    other = Client()
    answer = visit(other)
    assert (answer.status_code, is_in(other)) == (403, False)
    assert "Sign in as usual" in answer.content.decode()
    assert identities(account_of(cast.people["owner"])) == [(first.issuer, "person-1")]
    assert told() == ["openid_connect", "sign_in", "sign_in_failed"]


def test_a_subject_is_known_whatever_its_address_says_later(cast: Cast, first: Provider) -> None:
    visit(Client())
    for address in ({"email": "renamed@example.com"}, {"email_verified": False}, {"email": "admin@example.com"}):
        first.person = {**OWNER, **address}
        client = Client()
        visit(client)
        assert "Owner Person" in client.get("/").content.decode()
    # A colleague's address stays the colleague's.
    assert verified_addresses(account_of(cast.people["admin"])) == ["admin@example.com"]


def test_a_provider_gives_an_account_no_address_and_takes_back_what_it_vouched_for(cast: Cast, first: Provider) -> None:
    user = account_of(cast.people["owner"])
    visit(Client())
    assert EmailVerification.objects.get(address__user=user).method == "oidc"
    first.person = {**OWNER, "email": "elsewhere@example.com"}
    client = Client()
    visit(client)
    assert is_in(client)
    assert verified_addresses(user) == []
    first.person = dict(OWNER)
    visit(Client())
    assert verified_addresses(user) == ["owner@example.com"]


def test_the_same_subject_of_another_issuer_is_somebody_else(
    cast: Cast, first: Provider, second: Provider, settings: Any
) -> None:
    visit(Client())
    configure(settings, second)
    for address in (
        {"email": "elsewhere@example.com"},
        {"email_verified": False},
        {"email": "owner@example.com"},
        {"email": "owner@example.com", "email_verified": "true"},
    ):
        second.person = {**OWNER, **address}
        client = Client()
        assert (visit(client).status_code, is_in(client)) == (403, False), address
    assert identities(account_of(cast.people["owner"])) == [(first.issuer, "person-1")]


def test_after_the_issuer_changed_its_holder_links_the_new_one_from_inside(
    first: Provider, second: Provider, settings: Any, trusted: Browse, cast: Cast
) -> None:
    visit(Client())
    configure(settings, second)
    inside = trusted("owner")
    assert "no longer accepted" in inside.get(METHODS).content.decode()
    assert visit(inside, METHODS)["Location"] == METHODS
    client = Client()
    visit(client)
    assert is_in(client)
    assert identities(account_of(cast.people["owner"])) == [(first.issuer, "person-1"), (second.issuer, "person-1")]
    row = AuditEvent.objects.get(tool="console.openid_link")
    assert row.arguments == {"issuer": second.issuer, "subject": "person-1"}


def test_linking_needs_re_authentication_and_its_own_beginning(first: Provider, browse: Browse, cast: Cast) -> None:
    visitor = browse("manager")
    assert visitor.get(METHODS)["Location"].startswith("/accounts/reauthenticate/")
    assert visitor.post(METHODS)["Location"].startswith("/accounts/reauthenticate/")
    # As if the sign-in page could be led to link.
    assert visit(visitor, process="connect").status_code == 401
    assert Client().post(METHODS)["Location"].startswith("/accounts/login/")
    assert identities(account_of(cast.people["manager"])) == []


def test_an_identity_belongs_to_one_account_and_can_be_unlinked(first: Provider, trusted: Browse, cast: Cast) -> None:
    visit(Client())
    manager = trusted("manager")
    answer = visit(manager, METHODS)
    assert "linked to another account" in manager.get(answer["Location"]).content.decode()
    assert identities(account_of(cast.people["manager"])) == []
    owner = trusted("owner")
    foreign = OidcIdentity.objects.get()
    assert manager.post(METHODS, {"unlink": foreign.pk}).status_code == 404
    assert owner.post(METHODS, {"unlink": foreign.pk}).status_code == 302
    assert identities(account_of(cast.people["owner"])) == []
    assert told()[-1] == "openid_unlink"


def test_the_only_way_to_sign_in_is_not_unlinked(first: Provider, cast: Cast) -> None:
    client = Client()
    visit(client)
    user = account_of(cast.people["owner"])
    user.set_unusable_password()
    user.save()
    client = Client()
    visit(client)
    page = client.post(METHODS, {"unlink": OidcIdentity.objects.get().pk}, follow=True)
    assert "your only sign-in method" in page.content.decode()
    assert len(identities(user)) == 1


def test_an_address_without_proof_leads_no_identity_to_an_account_in_use(cast: Cast, first: Provider) -> None:
    user = account_of(cast.people["owner"])
    unverify_address(user=user, email="owner@example.com")
    client = Client()
    answer = visit(client)
    assert (answer.status_code, is_in(client)) == (403, False)
    assert "not linked yet" in answer.content.decode()
    assert identities(user) == []


def test_an_account_that_nobody_ever_used_is_found_by_its_address(cast: Cast, first: Provider) -> None:
    member = import_member(
        workspace=cast.workspace, member_id="n", user_ref="n", name="New", email="new@example.com", role="MEMBER"
    )
    create_account(member=member, password=None)
    first.person = {"sub": "new-1", "email": "new@example.com", "email_verified": True}
    client = Client()
    visit(client)
    assert is_in(client)
    proof = EmailVerification.objects.get(address__email="new@example.com")
    assert (proof.method, proof.issuer) == ("oidc", first.issuer)


def test_a_sign_in_that_allauth_found_by_the_subject_alone_counts_for_nothing(cast: Cast, first: Provider) -> None:
    from allauth.socialaccount.models import SocialAccount

    SocialAccount.objects.create(user=account_of(cast.people["owner"]), provider="oidc", uid="stranger-1")
    first.person = {"sub": "stranger-1", "email": "owner@example.com", "email_verified": False}
    client = Client()
    assert (visit(client).status_code, is_in(client)) == (403, False)


def test_an_account_has_a_name_that_is_no_address(cast: Cast) -> None:
    assert "@" not in account_of(cast.people["owner"]).username
    assert draft_account().username != draft_account().username
