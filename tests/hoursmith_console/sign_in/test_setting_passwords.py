"""An account that signs in with OpenID Connect alone is given a password by its user and nobody else."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.test import Client

from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import PASSWORD, Cast
from tests.hoursmith_console.sign_in.people import by_openid, code_now, is_in, old, password_given
from tests.oidc_provider import Provider

NEW = "a much better passphrase"


@pytest.fixture
def provider(issuer: Provider, cast: Cast) -> Provider:
    """A provider that signs in the member, whose account has no password."""
    EmailAddress.objects.update(verified=True)
    User.objects.filter(pk=_account(cast).pk).update(password="!none")
    issuer.person = {"sub": "person-1", "email": "member@example.com", "email_verified": True, "name": "Member"}
    return issuer


def _account(cast: Cast) -> User:
    user = cast.people["member"].user
    assert isinstance(user, User)
    return user


def _set(client: Client) -> Any:
    return client.post("/accounts/password/set/", {"password1": NEW, "password2": NEW})


def _has_password(cast: Cast) -> bool:
    return User.objects.get(pk=_account(cast).pk).has_usable_password()


def test_a_session_that_was_left_open_sets_no_password(provider: Provider, cast: Cast) -> None:
    client = Client()
    by_openid(client)
    old(client)
    assert (
        client.get("/accounts/password/set/")["Location"]
        == "/accounts/openid/again/?next=%2Faccounts%2Fpassword%2Fset%2F"
    )
    assert _set(client)["Location"].startswith("/accounts/openid/again/")
    assert client.get("/accounts/password/change/")["Location"] == "/accounts/password/set/"
    assert not _has_password(cast)


def test_after_the_provider_was_asked_again_it_is_set_recorded_and_the_other_sessions_end(
    provider: Provider, cast: Cast
) -> None:
    here, there = Client(), Client()
    by_openid(here)
    by_openid(there)
    by_openid(old(here), again="1")
    assert _set(here).status_code == 302
    assert _has_password(cast)
    assert (is_in(here), is_in(there)) == (True, False)
    assert AuditEvent.objects.filter(tool="console.password_set", org_id=cast.org_id).count() == 1
    # From then on it is changed with itself.
    assert here.get("/accounts/password/set/")["Location"] == "/accounts/password/change/"


def test_a_passer_by_sets_nothing(cast: Cast) -> None:
    answer = _set(Client())
    assert answer["Location"] == "/accounts/login/?next=%2Faccounts%2Fpassword%2Fset%2F"


def test_a_sign_in_and_a_second_factor_each_give_the_session_another_key(cast: Cast, with_app: Any) -> None:
    """Who placed a session in a browser beforehand is not signed in with it (session fixation)."""
    with_app("owner")
    client = Client()
    session = client.session
    session["planted"] = True
    session.save()
    planted = session.session_key
    client.cookies["session"] = str(planted)
    password_given("owner", client)
    client.post("/accounts/2fa/authenticate/", {"code": code_now()})
    assert is_in(client)
    assert client.session.session_key != planted
    attacker = Client()
    attacker.cookies["session"] = str(planted)
    assert not is_in(attacker)


def test_a_changed_password_gives_the_session_another_key(cast: Cast) -> None:
    client = password_given("member")
    before = client.session.session_key
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    assert is_in(client)
    assert client.session.session_key != before
