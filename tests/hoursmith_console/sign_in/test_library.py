"""Every view, setting and template of the sign-in library is decided, and nothing speaks in its words."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings as active
from django.core.cache import cache
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.test import Client
from django.test.signals import template_rendered
from django.urls import NoReverseMatch, get_resolver, reverse

from hoursmith_console import settings as production
from hoursmith_console.sign_in import urls
from tests.hoursmith_console.conftest import PASSWORD, Cast
from tests.hoursmith_console.sign_in import allauth_parts
from tests.hoursmith_console.sign_in.people import old, password_given, recent
from tests.paths import ROOT

Browse = Callable[[str], Client]
Give = Callable[[str], list[str]]
MAIL = "tests.hoursmith_console.workspaces.mail_urls"
SECTION = (
    (ROOT / "docs/security.md").read_text(encoding="utf-8").partition("## Sign-in library")[2].partition("\n## ")[0]
)
# Names of addresses that the library's own code leads to, whatever its settings.
LED_TO = {
    "account_login", "account_logout", "account_inactive", "account_reauthenticate", "account_change_password",
    "account_set_password", "mfa_index", "mfa_authenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn",
    "mfa_view_recovery_codes", "mfa_list_webauthn", "mfa_activate_totp", "mfa_deactivate_totp",
}  # fmt: skip


def decided(pattern: str) -> dict[str, str]:
    """What a table says of each thing whose name fits `pattern`, each of which stands there once."""
    found: dict[str, str] = {}
    for line in SECTION.splitlines():
        if not re.match(rf"\| `{pattern}", line):
            continue
        names, answer, why = (cell.strip() for cell in line.strip("|").split(" | "))
        assert why, line
        for name in re.findall(r"`([\w.]+)`", names):
            assert name not in found, name
            found[name] = answer
    return found


VIEWS, SETTINGS = decided(r"[a-z]+\.[\w.]*views\."), decided(r"(?:ACCOUNT|MFA|SOCIALACCOUNT)_")


def test_every_view_of_the_library_is_decided() -> None:
    assert set(VIEWS) == allauth_parts.views()
    assert set(VIEWS.values()) == {"ours", "the library's", "no"}


def test_every_view_is_served_as_it_was_decided() -> None:
    served = allauth_parts.served([*urls.urlpatterns, *urls.password_reset_urlpatterns])
    asis = {allauth_parts.name_of(view) for view in served.values() if view.__module__.startswith("allauth.")}
    assert asis == {name for name, answer in VIEWS.items() if answer == "the library's"}
    parents: set[str] = set()
    for view in served.values():
        if view.__module__.startswith("hoursmith_console."):
            parents |= {
                allauth_parts.name_of(each) for each in getattr(view, "__mro__", [])[1:]
            } & allauth_parts.views()
    ours = {name for name, answer in VIEWS.items() if answer == "ours"}
    # Three of ours are functions around theirs.
    functions = {"account.views.LogoutView"} | {f"{OPENID}.{name}" for name in ("login", "callback")}
    assert parents | functions == ours
    assert {"account_logout", "openid_connect_login", "openid_connect_callback"} <= set(served)


OPENID = "socialaccount.providers.openid_connect.views"


def names_of_the_library() -> set[str]:
    from allauth import urls as theirs

    return set(allauth_parts.served(list(theirs.urlpatterns))) - {"None"}


@pytest.mark.parametrize("conf", [active.ROOT_URLCONF, MAIL], ids=["without mail", "with mail"])
def test_no_other_address_of_the_library_is_there(conf: str) -> None:
    mine = set(allauth_parts.served(get_resolver(conf).url_patterns))
    for name in sorted(names_of_the_library() - mine):
        with pytest.raises(NoReverseMatch):
            reverse(name, conf)
    assert mine >= LED_TO
    assert {"account_signup", "account_email", "socialaccount_connections"} <= names_of_the_library() - mine


def test_every_setting_of_the_library_is_decided() -> None:
    assert set(SETTINGS) == set().union(*(allauth_parts.settings_of(app) for app in allauth_parts.PREFIXES))
    assert {name for name, answer in SETTINGS.items() if answer == "set"} == {
        name for name in vars(production) if name.startswith(tuple(allauth_parts.PREFIXES.values()))
    }


@pytest.mark.parametrize("name", sorted(allauth_parts.templates()))
def test_no_page_and_no_mail_is_the_librarys(name: str) -> None:
    try:
        found = get_template(name)
    except TemplateDoesNotExist:
        return
    assert not str(found.template.origin.name).startswith(str(allauth_parts.FOLDER))  # type: ignore[attr-defined]


@pytest.fixture
def rendered() -> Iterator[dict[str, str]]:
    """The files of the templates that were rendered meanwhile, by their names."""
    names: dict[str, str] = {}

    def note(sender: Any, template: Any, **more: Any) -> None:
        names[str(template.name)] = str(template.origin.name)

    template_rendered.connect(note)
    yield names
    template_rendered.disconnect(note)


@pytest.fixture
def states(cast: Cast, with_app: Give) -> dict[str, Callable[[], Client]]:
    """Browsers in each state in which a page of the account shows something else."""
    codes = iter(with_app("admin"))

    def given_a_code() -> Client:
        client = password_given("admin")
        answer = client.post("/accounts/2fa/authenticate/", {"code": next(codes)})
        return client if answer.status_code == 302 else recent(client)

    def without_password() -> Client:
        return _signed_in_by_openid(cast)

    return {
        "nobody": Client,
        "password given": lambda: password_given("admin"),
        "two factors": given_a_code,
        "password only": lambda: password_given("owner"),
        "no password": without_password,
        "old sign-in": lambda: old(password_given("owner")),
    }


@pytest.mark.urls(MAIL)
@pytest.mark.parametrize(
    "state", ["nobody", "password given", "two factors", "password only", "no password", "old sign-in"]
)
def test_every_page_that_is_served_has_a_template_of_ours(
    states: dict[str, Callable[[], Client]], state: str, rendered: dict[str, str]
) -> None:
    browser, last = states[state](), "account_logout"
    names = [name for name in allauth_parts.served(get_resolver(MAIL).url_patterns) if name.startswith(_OURS)]
    assert len(names) > 25
    for send in (browser.get, browser.post):
        for name in sorted(names, key=last.__eq__):
            cache.clear()
            answer = send(_address(name), HTTP_HOST="localhost")
            assert answer.status_code < 500, f"{name}: {answer.status_code}"
    assert not [file for file in rendered.values() if file.startswith(str(allauth_parts.FOLDER))]
    assert rendered.keys() >= SHOWN[state]


_OURS = ("account_", "mfa_", "oidc_reauthenticate")
SHOWN = {
    "nobody": {"account/login.html", "account/password_reset.html", "account/password_reset_from_key.html"},
    "password given": {"mfa/authenticate.html"},
    "two factors": {"mfa/recovery_codes/index.html", "mfa/reauthenticate.html", "mfa/totp/deactivate_form.html"},
    "password only": {"mfa/index.html", "mfa/totp/activate_form.html", "account/password_change.html"},
    "no password": {"account/password_set.html"},
    "old sign-in": {"account/reauthenticate.html", "account/sessions.html"},
}


def _signed_in_by_openid(cast: Cast) -> Client:
    """A browser of a member without a password, who came by OpenID Connect a moment ago."""
    client, user = Client(), cast.people["member"].user
    assert user is not None
    user.set_unusable_password()
    user.save()
    client.force_login(user)
    session = client.session
    session["account_authentication_methods"] = [{"method": "socialaccount", "at": time.time()}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return client


def _address(name: str) -> str:
    keys: dict[str, dict[str, Any]] = {
        "account_invitation": {"secret": "x-y"},
        "account_recovery": {"uidb64": "MQ", "token": "x-y"},
        "account_reset_password_from_key": {"uidb36": "1", "key": "x-y"},
        "mfa_remove_webauthn": {"pk": 1},
        "mfa_edit_webauthn": {"pk": 1},
    }
    return reverse(name, kwargs=keys.get(name))


@pytest.mark.parametrize("is_set", [False, True], ids=["changed", "set"])
def test_what_is_said_of_a_new_password_is_said_in_our_words(cast: Cast, is_set: bool) -> None:
    form = {"oldpassword": PASSWORD, "password1": "a much better passphrase", "password2": "a much better passphrase"}
    client = _signed_in_by_openid(cast) if is_set else password_given("owner")
    client.post(f"/accounts/password/{'set' if is_set else 'change'}/", form)
    said = f"Password {'set' if is_set else 'changed'}. Your other sessions were signed out."
    assert said in client.get("/").content.decode()


def test_every_message_of_a_view_that_is_served_has_our_words() -> None:
    """Messages whose template is missing are dropped by the library: what was done would go unsaid."""
    for app, names in MESSAGES.items():
        for name in names:
            assert get_template(f"{app}/messages/{name}.txt")


MESSAGES = {
    "account": ["logged_in", "logged_out", "password_changed", "password_set"],
    "mfa": ["recovery_codes_generated", "totp_activated", "totp_deactivated", "webauthn_added", "webauthn_removed"],
}


def test_what_a_form_refuses_is_said_in_our_words(cast: Cast, with_app: Give) -> None:
    wrong = {"login": "owner@example.com", "password": "not the password"}
    pages = [Client().post("/accounts/login/", wrong)]
    client = password_given("owner")
    form = {"oldpassword": "no", "password1": "a much better passphrase", "password2": "a much better passphrase"}
    pages.append(client.post("/accounts/password/change/", form))
    pages.append(client.post("/accounts/reauthenticate/", {"password": "no"}))
    with_app("admin")
    pages.append(password_given("admin").post("/accounts/2fa/authenticate/", {"code": "000000"}))
    for _ in range(5):
        Client().post("/accounts/login/", wrong)
    pages.append(Client().post("/accounts/login/", wrong))
    theirs = {
        str(text) for adapter in (DefaultAccountAdapter, DefaultMFAAdapter) for text in adapter.error_messages.values()
    }
    for page in pages:
        shown = page.content.decode()
        assert 'class="errors"' in shown
        assert not [text for text in theirs if text in shown]


def test_a_refused_passkey_is_asked_for_again_on_the_way_to_the_same_page(cast: Cast, browse: Browse) -> None:
    Authenticator.objects.create(user=cast.people["owner"].user, type="webauthn", data={"name": "x", "credential": {}})
    client = browse("owner")
    address = "/accounts/2fa/passkeys/reauthenticate/"
    answer = client.post(f"{address}?next=/audit/export/", {"credential": "{}"})
    assert answer["Location"] == f"{address}?failed=1&next=%2Faudit%2Fexport%2F"
