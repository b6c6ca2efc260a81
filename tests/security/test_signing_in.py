"""Signing in tells nobody whether there is such an account, neither in words nor in the work that is done."""

import json
import re
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.cache import cache
from django.test import Client
from django.utils.http import int_to_base36
from fido2.utils import websafe_encode

from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.sign_in.people import password_given, recent
from tests.page_urls import account_routes, filled


class CountingHasher(MD5PasswordHasher):
    """Counts what takes the time when a password is looked at."""

    made = 0

    def encode(self, password: str, salt: str) -> str:
        type(self).made += 1
        return super().encode(password, salt)


def attempt(login: str) -> tuple[int, bytes, int]:
    """Status, page and number of digests that one attempt costs."""
    before = CountingHasher.made
    answer = Client().post("/accounts/login/", {"login": login, "password": "wrong horse battery"})
    page = answer.content.replace(login.encode(), b"")
    return answer.status_code, page.partition(b"<main")[2], CountingHasher.made - before


@pytest.fixture
def counted(settings: Any, cast: Cast) -> Cast:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    shut, unset = cast.people["manager"].user, cast.people["member"].user
    assert shut is not None
    assert unset is not None
    shut.is_active = False
    shut.save()
    unset.set_unusable_password()
    unset.save()
    return cast


def test_unknown_shut_and_unset_accounts_cost_and_say_what_a_wrong_password_does(counted: Cast) -> None:
    known = attempt("owner@example.com")
    assert known[2] == 1
    for login in ("nobody@example.com", "manager@example.com", "member@example.com"):
        status, page, made = attempt(login)
        assert (status, made) == known[::2], login
        assert _without_tokens(page) == _without_tokens(known[1]), login


def _without_tokens(page: bytes) -> bytes:
    return re.sub(rb'value="[^"]*"|"challenge": "[^"]*"', b"", page)


def test_signing_out_lets_the_browser_forget(cast: Cast) -> None:
    client = Client()
    user = cast.people["owner"].user
    assert user is not None
    client.force_login(user)
    assert "Clear-Site-Data" not in client.get("/accounts/logout/").headers
    assert client.post("/accounts/logout/")["Clear-Site-Data"] == '"cache"'
    assert client.get("/").status_code == 302


ODD = [
    "", "\x00", "a\x00@example.com", "[]", "{}", "1", "null", '"x"', "x" * 20_000, "é@ü.example", "\N{PILE OF POO}",
    '{"response": 1}', '{"response": {"userHandle": 5}}', '{"response": {"userHandle": "MQ"}, "id": []}',
    '{"id": "x", "rawId": "x", "type": "public-key", "response": {"userHandle": "MQ", "clientDataJSON": "e30", '
    '"authenticatorData": "e30", "signature": "e30"}}', "a@b.example\r\nBcc: c@d.example", "-1", "9" * 40, "\ufffd",
]  # fmt: skip
FIELDS = (
    "login",
    "email",
    "password",
    "code",
    "credential",
    "name",
    "session",
    "next",
    "oldpassword",
    "password1",
    "password2",
)


@pytest.mark.urls("tests.hoursmith_console.workspaces.mail_urls")
@pytest.mark.parametrize("state", ["nobody", "half", "inside"])
def test_no_form_of_the_account_breaks_on_odd_input(cast: Cast, with_app: Any, state: str) -> None:
    with_app("admin")
    for route in account_routes():
        client = _in(state)
        for text in ODD:
            cache.clear()
            answer = client.post(filled(route), dict.fromkeys(FIELDS, text), HTTP_HOST="localhost")
            assert answer.status_code < 500, f"{route} with {text[:60]!r}"


def _in(state: str) -> Client:
    client = Client()
    if state == "half":
        return password_given("admin", client)
    return recent(password_given("owner", client)) if state == "inside" else client


@pytest.mark.urls("tests.hoursmith_console.workspaces.mail_urls")
@pytest.mark.parametrize(
    "key", ["1-x", "1y2p0ij32e8e8-x-y", "zzzzzzzzzzzzz-x", "zzzzzzzzzzzzzzzzzz-x-y", "0-set-password"]
)
def test_no_link_breaks_a_page(cast: Cast, key: str) -> None:
    for address in (f"/accounts/password/reset/key/{key}/", f"/accounts/invitation/{key.replace('-', '/', 1)}/"):
        assert Client().get(address, follow=True).status_code in (200, 404)


def test_a_passkey_page_tells_nobody_which_accounts_there_are(cast: Cast) -> None:
    known = cast.people["owner"].user
    assert known is not None
    answers = set()
    for number in (known.pk, 987654):
        handle = websafe_encode(int_to_base36(number).encode())
        for more in ({}, {"id": "eA", "rawId": "eA", "type": "public-key"}):
            client = Client()
            client.get("/accounts/2fa/passkeys/login/", headers={"X-Requested-With": "XMLHttpRequest"})
            credential = json.dumps({"response": {"userHandle": handle}, **more})
            answer = client.post("/accounts/2fa/passkeys/login/", {"credential": credential}, follow=True)
            shown = _without_tokens(answer.content.partition(b"<main")[2])
            answers.add((answer.status_code, str(answer.redirect_chain), shown))
    assert len(answers) == 1
    assert b"The code is incorrect" in answers.pop()[2]
