"""While the database is away, each step of a sign-in says so or works, and counts once the database is back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper
from django.test import Client

from mcpbridge.models import Grant
from tests.hoursmith_console.authorizing.requests import (
    CLAUDE,
    CLAUDE_REDIRECT,
    VERIFIER,
    address,
    answer_of,
    ask,
    decide,
    submit,
)
from tests.hoursmith_console.sandbox_members import Town

pytestmark = pytest.mark.django_db(databases="__all__")
FORM = "application/x-www-form-urlencoded"


@contextmanager
def database_away() -> Iterator[None]:
    """Let every statement to the console's database fail; the sandbox stands for Hoursmith and still answers."""

    def failing(real: Any) -> Any:
        def execute(cursor: CursorWrapper, *given: Any, **named: Any) -> Any:
            if cursor.db.alias == "default":
                raise OperationalError("server closed the connection unexpectedly")
            return real(cursor, *given, **named)

        return execute

    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute", "executemany"):
            patch.setattr(CursorWrapper, name, failing(getattr(CursorWrapper, name)))
        yield


def tell(client: Client, path: str, **fields: str) -> Any:
    return client.post(path, urlencode({"client_id": CLAUDE, **fields}), content_type=FORM)


@pytest.mark.parametrize("is_signed_in", [False, True], ids=["by-token-alone", "signed-in"])
def test_each_step_says_so_and_counts_afterwards(acme: Town, is_signed_in: bool) -> None:
    token = acme["member"].caller.token
    browser = acme["member"].browser() if is_signed_in else Client()
    browser.raise_request_exception = False
    assistant = Client(raise_request_exception=False)

    with database_away():
        first = browser.get(address())
        assert first.status_code in (200, 503)
        assert assistant.get("/.well-known/oauth-authorization-server").status_code == 200
        assert assistant.get("/.well-known/oauth-protected-resource/mcp").status_code == 200
        said = json.dumps({"redirect_uris": ["http://localhost:1/callback"]})
        assert assistant.post("/register", said, content_type="application/json").status_code in (201, 503)
    first = ask(browser)
    with database_away():
        refused = submit(browser, first, token)
        assert refused.status_code == 503
        assert token.rsplit("_", 1)[1] not in refused.content.decode()
    second = submit(browser, first, token)
    with database_away():
        refused = decide(browser, second)
        assert (refused.status_code, "Refresh" in refused) == (503, False)
    assert not Grant.objects.exists()
    place, answered = answer_of(decide(browser, second))
    assert place == CLAUDE_REDIRECT

    code = {"grant_type": "authorization_code", "code": answered["code"], "code_verifier": VERIFIER}
    with database_away():
        unavailable(tell(assistant, "/token", **code))
    issued = tell(assistant, "/token", **code)
    assert issued.status_code == 200, issued.content
    refresh = {"grant_type": "refresh_token", "refresh_token": issued.json()["refresh_token"]}
    with database_away():
        unavailable(tell(assistant, "/token", **refresh))
        unavailable(tell(assistant, "/revoke", token=issued.json()["access_token"]))
    assert tell(assistant, "/token", **refresh).status_code == 200
    assert Grant.objects.get().ended_at is None


def unavailable(answer: Any) -> None:
    """What makes an assistant try again instead of giving its access up."""
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert int(answer["Retry-After"]) > 0
