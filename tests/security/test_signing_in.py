"""Signing in tells nobody whether there is such an account, neither in words nor in the work that is done."""

import re
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client

from tests.hoursmith_console.conftest import Cast


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
