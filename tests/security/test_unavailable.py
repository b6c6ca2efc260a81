"""On a database that takes no writes, every form says so: never a fault of ours, never somebody else's fault."""

import re
from typing import Any

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.core.cache import cache
from django.db import DatabaseError, OperationalError, transaction
from django.test import Client

from tests.hoursmith_console.conftest import PASSWORD
from tests.page_urls import console_routes
from tests.security.conftest import Browse, World
from tests.security.forms import Form, forms_of
from tests.unavailable import read_only_database

TOLD = re.compile("so nothing was (changed|done)")
PRODUCT_CACHE = {
    "BACKEND": "hoursmith_console.backends.counting_cache.CountingCache",
    "LOCATION": "console_shared_counts",
}
ACCOUNT = ("/accounts/password/change/", "/accounts/sessions/", "/accounts/2fa/", "/accounts/reauthenticate/")


pytestmark = pytest.mark.django_db(databases=["default", "sandbox"])


@pytest.fixture(autouse=True)
def shared_counts(settings: Any) -> None:
    """The cache of the product, not that of the tests."""
    settings.CACHES = {"default": PRODUCT_CACHE}


def shown_forms(world: World, visitor: Client) -> list[Form]:
    """The forms of all pages, each once."""
    found: dict[object, Form] = {}
    for address in (*map(world.address, console_routes()), *ACCOUNT):
        answer = visitor.get(address)
        if answer.status_code == 200 and not answer.streaming and "text/html" in answer["Content-Type"]:
            for form in forms_of(answer.content.decode(), address):
                found.setdefault(form.shape, form)
    return list(found.values())


def test_every_form_and_page_answers_on_a_read_only_database(hostile: World, trusted: Browse) -> None:
    visitor = trusted("owner")
    forms = shown_forms(hostile, visitor)
    assert len(forms) > 25
    visitor.raise_request_exception = False
    answers: dict[str, int] = {}
    with read_only_database():
        for form in forms:
            for more in ({}, {"HX-Request": "true"}):
                answer = visitor.post(form.action, form.data(), headers=more)
                transaction.set_rollback(False)
                answers[f"{form.shape} {more}"] = answer.status_code
                if answer.status_code == 503 and more and "HX-Retarget" in answer:
                    assert TOLD.search(answer.content.decode())
        for route in console_routes():
            answers[route] = visitor.get(hostile.address(route)).status_code
            transaction.set_rollback(False)
    assert not {what: status for what, status in answers.items() if status >= 500 and status != 503}
    assert list(answers.values()).count(503) >= 20
    # Reading goes on.
    assert [status for route, status in answers.items() if route in ("", "/", "tokens/", "audit/")].count(503) == 0


@pytest.mark.usefixtures("cast")
def test_nobody_is_told_of_too_many_attempts(client: Client) -> None:
    client.raise_request_exception = False
    with read_only_database():
        answer = client.post("/accounts/login/", {"login": "owner@example.com", "password": PASSWORD})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert TOLD.search(answer.content.decode())
    assert "Too many" not in answer.content.decode()


def test_a_session_that_cannot_be_written_has_not_ended(hostile: World, browse: Browse) -> None:
    session = browse("owner").session
    session["seen"] = 1
    with read_only_database(), pytest.raises(OperationalError):
        session.save()
    transaction.set_rollback(False)
    session.delete()
    with pytest.raises(UpdateError):
        session.save()


def test_a_count_that_cannot_be_written_is_no_count_that_is_there(db: None) -> None:
    assert cache.add("one", 1)
    assert not cache.add("one", 1)
    cache.set("one", 1)
    with read_only_database():
        assert cache.get("one") == 1
        with pytest.raises(DatabaseError):
            cache.add("two", 1)
        with pytest.raises(DatabaseError):
            cache.set("one", 2)
    assert cache.get("one") == 1
