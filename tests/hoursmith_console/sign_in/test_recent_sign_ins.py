"""A sign-in of a moment ago is a recent one, by whichever way; one that was longer ago is not."""

from collections.abc import Callable

import pytest
from django.test import Client

from hoursmith_console.sign_in.invitation_views import recovery_path
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.sign_in.people import code_now, is_in, old, operators_link, password_given

NEW = {"new_password1": "a much better passphrase", "new_password2": "a much better passphrase"}
Way = Callable[[Cast, Callable[[str], list[str]]], Client]


def by_password(cast: Cast, with_app: Callable[[str], list[str]]) -> Client:
    return password_given("owner")


def by_password_and_code(cast: Cast, with_app: Callable[[str], list[str]]) -> Client:
    with_app("owner")
    client = password_given("owner")
    client.post("/accounts/2fa/authenticate/", {"code": code_now()})
    return client


def by_invitation(cast: Cast, with_app: Callable[[str], list[str]]) -> Client:
    return _behind(operators_link("new@example.com", "admin", cast.workspace))


def by_recovery_link(cast: Cast, with_app: Callable[[str], list[str]]) -> Client:
    user = cast.people["owner"].user
    assert user is not None
    return _behind(recovery_path(user=user))


def _behind(link: str) -> Client:
    client = Client()
    form = client.get(link, follow=True)
    assert client.post(form.request["PATH_INFO"], NEW).status_code == 302
    return client


@pytest.mark.parametrize("way", [by_password, by_password_and_code, by_invitation, by_recovery_link])
def test_who_has_just_signed_in_is_not_asked_again(cast: Cast, with_app: Callable[[str], list[str]], way: Way) -> None:
    client = way(cast, with_app)
    assert is_in(client)
    for address in ("/accounts/2fa/app/add/", "/members/invite/", "/audit/export/"):
        if address == "/accounts/2fa/app/add/" and way is by_password_and_code:
            continue
        assert client.get(address).status_code == 200, address
    old(client)
    for address in ("/accounts/2fa/passkeys/add/", "/members/invite/", "/audit/export/"):
        assert "reauthenticate" in client.get(address, HTTP_HOST="localhost")["Location"], address
