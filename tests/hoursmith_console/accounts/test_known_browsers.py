"""Whoever knows an address uses up a stranger's attempts on its account, and never those of its owner's browser."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.hoursmith_console.conftest import PASSWORD
from tests.hoursmith_console.sign_in.people import is_in, old, password_given

pytestmark = pytest.mark.usefixtures("cast")


def attempt(client: Client, password: str, name: str = "owner") -> Any:
    return client.post("/accounts/login/", {"login": f"{name}@example.com", "password": password})


def lock(name: str = "owner") -> None:
    """Strangers at several addresses try until nobody they are gets in, the right password included."""
    for number in range(7):
        attempt(Client(REMOTE_ADDR=f"198.51.100.{number}"), "not the password", name)
    assert "Too many" in attempt(Client(REMOTE_ADDR="198.51.100.99"), PASSWORD, name).content.decode()


def test_a_stranger_does_not_lock_out_the_browser_that_the_account_is_used_in() -> None:
    client = password_given("owner")
    client.post("/accounts/logout/")
    lock()
    assert attempt(client, PASSWORD).status_code == 302
    assert is_in(client)


def test_a_stranger_does_not_keep_anybody_from_re_authentication() -> None:
    client = password_given("owner")
    lock()
    answer = old(client).post("/accounts/reauthenticate/?next=/audit/export/", {"password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/audit/export/")


def test_guesses_in_a_known_browser_are_counted_too() -> None:
    client = password_given("owner")
    client.post("/accounts/logout/")
    for _ in range(5):
        attempt(client, "not the password")
    assert "Too many" in attempt(client, PASSWORD).content.decode()
    # And they use up nothing of a stranger's.
    assert attempt(Client(REMOTE_ADDR="198.51.100.1"), PASSWORD).status_code == 302


def test_a_new_sign_in_brings_no_new_attempts() -> None:
    client = password_given("owner")
    before = client.cookies[settings.KNOWN_BROWSER_COOKIE_NAME].value
    for _ in range(3):
        client.post("/accounts/logout/")
        attempt(client, "not the password")
    assert attempt(client, PASSWORD).status_code == 302
    client.post("/accounts/logout/")
    for _ in range(2):
        attempt(client, "not the password")
    assert "Too many" in attempt(client, PASSWORD).content.decode()
    assert before


@pytest.mark.parametrize("cookie", ["", "x", "WzEsIngiXQ:1:x", None], ids=["empty", "noise", "forged", "another's"])
def test_no_other_cookie_counts(cookie: str | None) -> None:
    stranger = password_given("admin") if cookie is None else Client()
    if cookie is None:
        stranger.post("/accounts/logout/")
    else:
        stranger.cookies[settings.KNOWN_BROWSER_COOKIE_NAME] = cookie
    lock()
    assert "Too many" in attempt(stranger, PASSWORD).content.decode()


def test_the_cookie_opens_nothing_and_is_kept_from_scripts() -> None:
    client = password_given("owner")
    cookie = client.cookies[settings.KNOWN_BROWSER_COOKIE_NAME]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    visitor = Client()
    visitor.cookies[settings.KNOWN_BROWSER_COOKIE_NAME] = cookie.value
    assert not is_in(visitor)
    # Pages and failed attempts set none.
    assert settings.KNOWN_BROWSER_COOKIE_NAME not in attempt(Client(), "not the password").cookies
    assert settings.KNOWN_BROWSER_COOKIE_NAME not in client.get("/").cookies
