"""Where one is signed in, for how long, and how one ends it."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.accounts.middleware import STATE_KEY
from hoursmith_console.accounts.models import ConsoleSession
from tests.hoursmith_console.conftest import PASSWORD, Cast
from tests.hoursmith_console.sign_in.people import is_in, password_given, told

Browse = Callable[[str], Client]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"


def _age(client: Client, **ago: float) -> None:
    session = client.session
    session[STATE_KEY] = {**session[STATE_KEY], **{name: time.time() - seconds for name, seconds in ago.items()}}
    session.save()


@pytest.mark.usefixtures("cast")
def test_a_session_is_listed_with_browser_and_address() -> None:
    client = password_given("owner", Client(REMOTE_ADDR="198.51.100.7", HTTP_USER_AGENT=FIREFOX))
    page = client.get("/accounts/sessions/").content.decode()
    assert "Firefox on Linux" in page
    assert "198.51.100.7" in page
    assert "CURRENT SESSION" in page


@pytest.mark.usefixtures("cast")
@pytest.mark.parametrize("over", [{"seen": 3601.0}, {"began": 12 * 3600 + 1.0}])
def test_a_session_ends_when_it_is_old_or_idle(over: dict[str, float]) -> None:
    client = password_given("owner")
    assert is_in(client)
    _age(client, **over)
    assert client.get("/").status_code == 302
    assert not ConsoleSession.objects.exists()


@pytest.mark.usefixtures("cast")
def test_use_keeps_a_session_from_idling_but_not_from_growing_old() -> None:
    client = password_given("owner")
    _age(client, seen=1800.0, began=11 * 3600.0)
    assert is_in(client)
    assert time.time() - client.session[STATE_KEY]["seen"] < 5
    assert time.time() - client.session[STATE_KEY]["began"] > 10 * 3600


@pytest.mark.usefixtures("cast")
def test_one_signs_out_everywhere_else_and_that_is_recorded() -> None:
    here, there, far = (password_given("owner") for _ in range(3))
    assert here.post("/accounts/sessions/").status_code == 302
    assert [is_in(each) for each in (here, there, far)] == [True, False, False]
    assert told() == ["sign_in", "sign_in", "sign_in", "sessions_end"]


@pytest.mark.usefixtures("cast")
def test_one_ends_a_single_other_session() -> None:
    here, there, far = (password_given("owner") for _ in range(3))
    row = ConsoleSession.objects.get(session_key=there.session.session_key)
    here.post("/accounts/sessions/", {"session": row.pk})
    assert [is_in(each) for each in (here, there, far)] == [True, False, True]


@pytest.mark.usefixtures("cast")
def test_nobody_ends_the_session_of_another() -> None:
    mine, theirs = password_given("owner"), password_given("admin")
    row = ConsoleSession.objects.get(session_key=theirs.session.session_key)
    mine.post("/accounts/sessions/", {"session": row.pk})
    assert is_in(theirs)
    assert told() == ["sign_in", "sign_in"]


@pytest.mark.usefixtures("cast")
def test_a_new_password_leaves_only_this_session() -> None:
    here, there = password_given("member"), password_given("member")
    new = "a much better passphrase"
    here.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert (is_in(here), is_in(there)) == (True, False)
    assert [row.session_key for row in ConsoleSession.objects.all()] == [here.session.session_key]
    assert told()[-1] == "password_change"


@pytest.mark.usefixtures("cast")
def test_signing_out_takes_the_session_off_the_list() -> None:
    client = password_given("owner")
    client.post("/accounts/logout/")
    assert not ConsoleSession.objects.exists()


def test_sessions_that_died_by_themselves_are_not_shown(cast: Cast) -> None:
    client = password_given("owner")
    old = timezone.now() - timedelta(hours=13)
    ConsoleSession.objects.create(
        user=cast.people["owner"].user, session_key="gone", began_at=old, seen_at=old, address="203.0.113.9"
    )
    assert "203.0.113.9" not in client.get("/accounts/sessions/").content.decode()


def test_a_passer_by_has_no_sessions(db: None) -> None:
    assert Client().get("/accounts/sessions/")["Location"].startswith("/accounts/login/")
