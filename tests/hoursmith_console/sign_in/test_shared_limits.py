"""Attempts are counted in one table for all workers and machines, which holds no secret."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connection
from django.test import Client

from tests.hoursmith_console.conftest import PASSWORD, SECRET
from tests.hoursmith_console.sign_in.people import code_now, is_in

OURS = {
    "BACKEND": "django.core.cache.backends.db.DatabaseCache",
    "LOCATION": "console_shared_counts",
    "OPTIONS": {"MAX_ENTRIES": 100_000},
}


@pytest.fixture
def shared(settings: Any, cast: object) -> Iterator[None]:
    """The cache as it is outside of unit tests."""
    settings.CACHES = {"default": OURS}
    yield
    caches["default"].clear()


def _stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT cache_key, value FROM console_shared_counts")
        return str(cursor.fetchall())


@pytest.mark.usefixtures("shared")
def test_a_guesser_is_stopped_whichever_worker_they_reach() -> None:
    for _ in range(5):
        Client().post("/accounts/login/", {"login": "owner@example.com", "password": "not the password"})
        # Another worker has nothing in memory.
        caches["default"].close()
    answer = Client().post("/accounts/login/", {"login": "owner@example.com", "password": PASSWORD})
    assert "Too many" in answer.content.decode()
    assert "login_failed" in _stored()


@pytest.mark.usefixtures("shared")
def test_the_table_holds_no_password_and_no_secret(with_app: Any) -> None:
    codes = with_app("owner")
    client = Client()
    client.post("/accounts/login/", {"login": "owner@example.com", "password": PASSWORD})
    client.post("/accounts/2fa/authenticate/", {"code": code_now()})
    assert is_in(client)
    stored = _stored()
    assert stored != "[]"
    for secret in (PASSWORD, SECRET, "owner@example.com", client.session.session_key, *codes):
        assert str(secret) not in stored
