"""The door of the console, tried at every address that it has: what is added later is tried as well."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.hoursmith_console.conftest import Cast
from tests.page_urls import KEYS, console_routes, filled

Browse = Callable[[str], Client]


def _addresses() -> list[str]:
    """Every address behind the console's door, with keys that fit and find nothing."""
    return [filled(route) for route in console_routes()]


def test_the_walk_finds_the_areas() -> None:
    found = _addresses()
    assert {"/", "/tokens/", "/audit/", "/activity/", "/audit/export/"} <= set(found)


@pytest.mark.parametrize("address", _addresses())
def test_a_passer_by_is_sent_to_the_sign_in_page(db: None, address: str) -> None:
    for ask in (Client().get, Client().post):
        answer = ask(address)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("address", _addresses())
def test_an_account_without_a_workspace_finds_nothing(db: None, address: str) -> None:
    stranger = Client()
    stranger.force_login(User.objects.create_user("stranger", is_staff=True, is_superuser=True))
    assert stranger.get(address).status_code == 404
    assert stranger.post(address).status_code == 404


@pytest.mark.parametrize("address", [each for each in _addresses() if any(key in each for key in KEYS.values())])
def test_a_key_that_finds_nothing_is_404_for_everybody(cast: Cast, browse: Browse, address: str) -> None:
    for name in ("owner", "member"):
        # 403 where the area as a whole is not theirs.
        assert browse(name).get(address).status_code in (403, 404, 405), name
