"""What an authorization request may get wrong: a page until the assistant is known, then an answer to it."""

from typing import Any

import pytest
from django.test import Client

from mcpbridge.models import AuditEvent, Grant
from tests.hoursmith_console.authorizing.requests import (
    CLAUDE,
    CLAUDE_REDIRECT,
    STATE,
    address,
    ask,
    parameters,
    split,
    text_of,
)

pytestmark = pytest.mark.django_db(databases="__all__")
_SHOWN = [
    ({"client_id": None}, "incomplete: it has no client_id"),
    ({"client_id": ""}, "incomplete: it has no client_id"),
    ({"redirect_uri": None}, "incomplete: it has no redirect_uri"),
    ({"client_id": "https://evil.example/client.json"}, "not known here"),
    ({"client_id": "hse_d1_" + "A" * 120}, "not registered here"),
    ({"client_id": "https://claude.ai/" + "a" * 600}, "not registered here"),
    ({"client_id": CLAUDE.upper()}, "not registered here"),
    ({"redirect_uri": "https://evil.example/callback"}, "not allowed for it"),
    ({"redirect_uri": "javascript:alert(1)"}, "not allowed for it"),
    ({"redirect_uri": f"{CLAUDE_REDIRECT}#"}, "not allowed for it"),
    ({"redirect_uri": f"{CLAUDE_REDIRECT}/"}, "not allowed for it"),
    ({"redirect_uri": CLAUDE_REDIRECT.replace("claude.ai", "claude.ai.")}, "not allowed for it"),
    ({"redirect_uri": CLAUDE_REDIRECT.replace("claude.ai", "Claude.ai")}, "not allowed for it"),
    ({"redirect_uri": CLAUDE_REDIRECT.replace("claude.ai", "claude.ai@evil.example")}, "not allowed for it"),
    ({"redirect_uri": CLAUDE_REDIRECT.replace("claude.ai", "claude.ai:8443")}, "not allowed for it"),
    ({"redirect_uri": "http://localhost:1/callback"}, "not allowed for it"),
    ({"state": "s" * 2001}, "too long"),
]
_ANSWERED = [
    ({"response_type": None}, "unsupported_response_type"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge": "A" * 42}, "invalid_request"),
    ({"code_challenge": "A" * 44}, "invalid_request"),
    ({"code_challenge": "é" * 43}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"resource": "https://other.example/mcp"}, "invalid_target"),
    ({"resource": "/mcp"}, "invalid_target"),
    ({"resource": "http://[/mcp"}, "invalid_target"),
]


@pytest.mark.parametrize(("changed", "said"), _SHOWN)
def test_before_the_assistant_is_known_a_page_says_why(changed: dict[str, Any], said: str) -> None:
    page = Client().get(address(**changed))
    assert (page.status_code, "Location" in page, "Refresh" in page) == (400, False, False)
    assert said in text_of(page)
    assert "Access not possible" in text_of(page)
    assert "<form" not in page.content.decode()


@pytest.mark.parametrize(("changed", "error"), _ANSWERED)
def test_afterwards_the_assistant_is_told(changed: dict[str, Any], error: str, settings: Any) -> None:
    page = Client().get(address(**changed))
    assert (page.status_code, page["Referrer-Policy"]) == (302, "no-referrer")
    place, answered = split(page["Location"])
    assert place == CLAUDE_REDIRECT
    assert (answered["error"], answered["state"], answered["iss"]) == (error, STATE, settings.PUBLIC_URL)


@pytest.mark.parametrize("name", sorted(parameters()))
def test_no_parameter_may_come_twice(name: str) -> None:
    said = parameters()
    for second in (said[name], "other", ""):
        page = Client().get(address([*said.items(), (name, second)]))
        assert page.status_code == 400, (name, second)
        assert f"more than one {name}" in text_of(page)


@pytest.mark.parametrize("name", ["prompt", "nonce", "request", "login_hint", "ui_locales", "x"])
def test_parameters_that_are_not_ours_are_ignored(name: str) -> None:
    assert "Connect Claude" in text_of(ask(Client(), **{name: "none"}))


def test_what_is_in_a_request_is_shown_as_text_alone() -> None:
    page = Client().get(address(client_id="<script>alert(1)</script>", redirect_uri='"><img src=x>'))
    assert page.status_code == 400
    assert b"<script>alert" not in page.content
    assert b"<img src=x" not in page.content
    first = ask(Client(), state='"><b>state</b>').content
    assert b"<b>state" not in first


def test_a_very_long_or_unreadable_query_is_refused() -> None:
    for query in ("x=" + "a" * 100_000, "&".join(f"a{number}=1" for number in range(2_000)), "%ff%fe=%00&=&&&", "\x00"):
        assert Client().get(f"/authorize?{query}").status_code == 400


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
def test_other_methods_are_refused(method: str) -> None:
    for place in ("/authorize", "/authorize/decision"):
        assert getattr(Client(), method)(place).status_code == 405
    assert Client().get("/authorize/decision").status_code == 405


def test_a_form_without_a_page_is_refused() -> None:
    browser = Client()
    for fields in ({}, {"request": "x"}, {"pending": "x", "decision": "allow"}, {"new": "x", "decision": "allow"}):
        for place in ("/authorize", "/authorize/decision"):
            assert "This page has expired" in text_of(browser.post(place, fields))
    ask(browser)
    for fields in ({}, {"request": "x"}, {"pending": "x", "decision": "allow"}, {"new": "x", "decision": "allow"}):
        for place in ("/authorize", "/authorize/decision"):
            assert "This page has expired" in text_of(browser.post(place, fields))


def test_requests_that_nobody_answers_leave_nothing_behind() -> None:
    for number in range(20):
        Client().get(address(state=str(number)))
        Client().get(address(client_id=str(number)))
    assert not Grant.objects.exists()
    assert not AuditEvent.objects.exists()


def test_where_oauth_is_off_there_are_no_such_pages(settings: Any) -> None:
    settings.OAUTH = False
    assert Client().get(address()).status_code == 404
    assert Client().post("/authorize").status_code == 404
    assert Client().post("/authorize/decision").status_code == 404


def test_a_token_in_the_address_is_never_kept(token: str) -> None:
    page = Client().get(address(state=token))
    # The pages without it: what the assistant made up is not answered.
    assert page.status_code == 302
    assert token.rsplit("_", 1)[1] not in page["Location"]
