"""Sign-in with OpenID Connect against a real provider on loopback, honest, faulty and hostile."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from hoursmith_console.accounts.models import OidcIdentity
from hoursmith_console.declarations.reading import Environment
from hoursmith_console.sign_in.oidc import settings as oidc_settings
from hoursmith_console.workspaces.access import revoke_access
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.sign_in.people import code_now, is_in, told
from tests.oidc_provider import Provider, configure, oidc_provider, visit

OWNER = {"sub": "person-1", "email": "Owner@example.com", "email_verified": True, "name": "Owner Person"}


@pytest.fixture
def provider(settings: Any, cast: Cast) -> Iterator[Provider]:
    """A provider that the console is set up for, and that signs the owner in."""
    with oidc_provider() as made:
        made.person = dict(OWNER)
        configure(settings, made)
        yield made


def test_a_member_with_a_verified_address_gets_in(provider: Provider) -> None:
    client = Client()
    assert visit(client, next="/audit/")["Location"] == "/audit/"
    assert is_in(client)
    assert told() == ["openid_connect", "sign_in"]
    assert AuditEvent.objects.get(tool="console.sign_in").arguments == {"method": "oidc"}
    again = Client()
    visit(again)
    assert is_in(again)
    assert told() == ["openid_connect", "sign_in", "sign_in"]


def test_issuer_and_subject_are_kept_and_no_token_of_the_provider_is(provider: Provider) -> None:
    client = Client()
    visit(client)
    assert not SocialToken.objects.exists()
    assert not SocialAccount.objects.exists()
    kept = OidcIdentity.objects.get()
    assert (kept.issuer, kept.subject, kept.label) == (provider.issuer, "person-1", "owner@example.com")
    assert "for userinfo" not in str(dict(client.session))


def test_the_provider_is_asked_with_state_and_a_challenge_and_nothing_from_the_address(provider: Provider) -> None:
    visit(Client(), "/accounts/openid/login/?scope=admin&auth_params=x%3Dy")
    asked = provider.asked[0]
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}
    assert (asked["code_challenge_method"], "x" in asked) == ("S256", False)
    assert asked["redirect_uri"] == "http://testserver/accounts/openid/callback/"
    assert len(asked["state"]) >= 8


@pytest.mark.parametrize(
    "person",
    [
        {"email": "nobody@example.com"},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email": ""},
    ],
)
def test_nobody_else_gets_in_and_no_account_is_made(provider: Provider, person: dict[str, Any]) -> None:
    provider.person.update(person)
    client, before = Client(), User.objects.count()
    answer = visit(client)
    assert (answer.status_code, is_in(client)) == (403, False)
    assert "No access" in answer.content.decode()
    assert (User.objects.count(), OidcIdentity.objects.count()) == (before, 0)


def test_an_unverified_address_writes_nothing_into_anybodys_record(provider: Provider) -> None:
    provider.person["email_verified"] = False
    assert visit(Client()).status_code == 403
    assert told() == []


def test_who_is_shut_out_does_not_come_back_this_way(cast: Cast, provider: Provider) -> None:
    visit(Client())
    revoke_access(member=cast.people["owner"], actor="Admin")
    client = Client()
    assert visit(client).status_code == 403
    assert not is_in(client)


@pytest.mark.parametrize(
    "fault",
    [
        {"is_forged": True},
        {"algorithm": "none"},
        {"algorithm": "HS256"},
        {"claims": {"aud": "another client"}},
        {"claims": {"iss": "https://elsewhere.example"}},
        # Long ago, and the same for every process that collects the tests.
        {"claims": {"exp": 1_700_000_000}},
        {"claims": {"azp": "another client"}},
        {"claims": {"sub": ""}},
        {"claims": {"sub": "s" * 256}},
        {"claims": {"nonce": "another browser"}},
        {"claims": {"nonce": None}},
    ],
    ids=str,
)
def test_a_token_that_does_not_hold_lets_nobody_in(provider: Provider, fault: dict[str, Any]) -> None:
    for name, value in fault.items():
        setattr(provider, name, value)
    client = Client()
    answer = visit(client)
    assert (answer.status_code, is_in(client)) == (401, False)
    assert "Sign-in failed" in answer.content.decode()
    assert told() == []


def test_a_provider_that_calls_itself_another_is_not_followed(provider: Provider) -> None:
    provider.description = {"issuer": "https://elsewhere.example"}
    answer = Client().post("/accounts/openid/login/")
    assert answer.status_code == 503
    assert provider.asked == []


@pytest.mark.parametrize(("subject", "gets_in"), [("person-1", True), ("person-2", False)])
def test_an_address_from_the_userinfo_is_taken_for_the_same_person_only(
    provider: Provider, subject: str, gets_in: bool
) -> None:
    provider.userinfo = {**OWNER, "sub": subject}
    provider.person = {"sub": "person-1"}
    client = Client()
    visit(client)
    assert is_in(client) is gets_in


def test_an_address_is_verified_by_the_source_that_names_it(provider: Provider) -> None:
    provider.person = {"sub": "person-1", "email_verified": True}
    provider.userinfo = {"sub": "person-1", "email": OWNER["email"], "email_verified": False}
    client = Client()
    assert visit(client).status_code == 403
    assert not is_in(client)


def test_an_answer_that_was_not_asked_for_lets_nobody_in(provider: Provider) -> None:
    asker, client = Client(), Client()
    leaving = asker.post("/accounts/openid/login/")
    query = {name: values[0] for name, values in parse_qs(urlsplit(leaving["Refresh"]).query).items()}
    back = urlsplit(provider.authorize(query))
    assert client.get(f"{back.path}?{back.query}").status_code == 401
    assert not is_in(client)
    assert client.get("/accounts/openid/callback/?error=access_denied").status_code == 401


def test_a_provider_that_is_away_is_said_so(provider: Provider, settings: Any) -> None:
    settings.OIDC = {**settings.OIDC, "issuer": "http://127.0.0.1:9"}
    settings.SOCIALACCOUNT_PROVIDERS = oidc_settings.oidc_provider(settings.OIDC)
    assert Client().post("/accounts/openid/login/").status_code == 503


def test_a_second_factor_is_asked_for_all_the_same(provider: Provider, with_app: Any) -> None:
    with_app("owner")
    client = Client()
    visit(client)
    assert not is_in(client)
    client.post("/accounts/2fa/authenticate/", {"code": code_now()})
    assert is_in(client)
    assert AuditEvent.objects.get(tool="console.sign_in").arguments == {"method": "oidc and totp"}


def test_who_has_no_password_shows_with_the_provider_that_it_is_they(cast: Cast, provider: Provider) -> None:
    user = cast.people["owner"].user
    assert user is not None
    user.set_unusable_password()
    user.save()
    client = Client()
    visit(client)
    assert client.get("/audit/export/").status_code == 200
    session = client.session
    session["account_authentication_methods"] = [
        {**step, "at": step["at"] - 3600} for step in session["account_authentication_methods"]
    ]
    session.save()
    answer = client.get("/audit/export/")
    assert answer["Location"] == "/accounts/openid/again/?next=%2Faudit%2Fexport%2F"
    assert "again to continue" in client.get(answer["Location"]).content.decode()
    assert visit(client, next="/audit/export/", again="1")["Location"] == "/audit/export/"
    assert provider.asked[-1]["prompt"] == "login"
    assert client.get("/audit/export/").status_code == 200


@pytest.mark.parametrize("address", ["login/", "callback/", "again/"])
def test_without_settings_there_is_no_such_way(cast: Cast, address: str) -> None:
    client = Client()
    user = cast.people["owner"].user
    assert user is not None
    client.force_login(user)
    method = client.post if address == "login/" else client.get
    assert method(f"/accounts/openid/{address}").status_code == 404
    assert "openid" not in client.get("/accounts/logout/").content.decode()
    assert "openid" not in Client().get("/accounts/login/").content.decode()


FULL = {"OIDC_ISSUER": "https://login.example.com/", "OIDC_CLIENT_ID": "c", "OIDC_CLIENT_SECRET": "s"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"OIDC_ISSUER": "https://login.example.com"}, "also needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET"),
        ({"OIDC_CLIENT_SECRET": "s"}, "also needs OIDC_ISSUER and OIDC_CLIENT_ID"),
        ({**FULL, "OIDC_ISSUER": "http://login.example.com"}, "must be https"),
        ({**FULL, "OIDC_ISSUER": "login.example.com"}, "must be an https:// URL"),
        ({**FULL, "OIDC_ISSUER": "https://a:b@login.example.com"}, "without user name"),
    ],
)
def test_a_half_or_unsafe_setting_is_named_at_the_start(tmp_path: Any, given: dict[str, str], words: str) -> None:
    env = Environment(given)
    with pytest.raises(ImproperlyConfigured, match=words):
        oidc_settings.read_oidc(env, tmp_path)


def test_full_settings_are_taken_and_the_secret_may_be_a_file(tmp_path: Any) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    env = Environment({**FULL, "OIDC_CLIENT_SECRET": "", "OIDC_CLIENT_SECRET_FILE": str(tmp_path / "secret")})
    found = oidc_settings.read_oidc(env, tmp_path)
    assert found == {
        "issuer": "https://login.example.com",
        "client_id": "c",
        "secret": "from the file",
        "name": "login.example.com",
    }
