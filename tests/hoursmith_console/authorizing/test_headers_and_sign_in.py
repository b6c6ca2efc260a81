"""The headers of the authorization pages, the way through the sign-in, and what a page says of each assistant."""

from typing import Any

import pytest
from django.test import Client

from mcpbridge.grants.registration import Method, register
from tests.faults.upstream import Hoursmith
from tests.hoursmith_console.authorizing.requests import address, ask, decide, submit, text_of
from tests.hoursmith_console.conftest import PASSWORD
from tests.hoursmith_console.sandbox_members import Town

pytestmark = pytest.mark.django_db(databases="__all__")


def _assert_headers(page: Any, referrer: str) -> None:
    assert page["Cross-Origin-Opener-Policy"] == "unsafe-none"
    assert page["Referrer-Policy"] == referrer
    assert "no-store" in page["Cache-Control"]
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]
    assert "form-action 'self'" in page["Content-Security-Policy"]
    assert page["X-Frame-Options"] == "DENY"


def test_the_pages_keep_their_opener_and_are_never_framed_or_stored(acme: Town) -> None:
    browser = Client()
    first = ask(browser)
    second = submit(browser, first, acme["member"].caller.token)
    for page in (first, second, submit(browser, first, "wrong")):
        _assert_headers(page, "same-origin")
    for page in (browser.get("/authorize"), decide(browser, first, "deny"), decide(browser, second)):
        _assert_headers(page, "no-referrer")
    cookie = browser.cookies["authorizing"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["max-age"]) == (True, "Lax", "/", 600)
    assert len(cookie.value) == 43
    # The window goes on from the assistant's page: signing in on the way must not cut it off either.
    assert browser.get("/accounts/login/")["Cross-Origin-Opener-Policy"] == "unsafe-none"
    assert Client().get("/accounts/login/")["Cross-Origin-Opener-Policy"] == "same-origin"
    assert browser.get("/")["Cross-Origin-Opener-Policy"] == "same-origin"


def test_forms_from_elsewhere_are_refused(acme: Town) -> None:
    browser = Client(enforce_csrf_checks=True)
    first = ask(browser)
    assert submit(browser, first, acme["member"].caller.token).status_code == 403
    assert decide(browser, first, "deny").status_code == 403


def test_where_signing_in_is_required_it_comes_first_and_leads_back(acme: Town, settings: Any) -> None:
    settings.OAUTH_SIGN_IN = "required"
    browser, member = Client(), acme["member"].member
    sent = browser.get(address())
    assert (sent.status_code, sent["Location"].startswith("/accounts/login/?next=/authorize%3F")) == (302, True)
    assert browser.get(sent["Location"])["Cross-Origin-Opener-Policy"] == "unsafe-none"
    back = browser.post(
        sent["Location"], {"login": member.email, "password": PASSWORD, "next": sent.wsgi_request.get_full_path()}
    )
    first = browser.get(back["Location"])
    assert "Signed in as" in text_of(first)
    second = submit(browser, first, acme["member"].caller.token)
    browser.post("/accounts/logout/")
    for page in (submit(browser, first, acme["member"].caller.token), decide(browser, second)):
        assert page["Location"].startswith("/accounts/login/?next=/authorize%3F")


def test_an_account_without_a_workspace_is_told_so(acme: Town, settings: Any, django_user_model: Any) -> None:
    settings.OAUTH_SIGN_IN = "required"
    stranger = Client()
    stranger.force_login(django_user_model.objects.create_user("stranger"))
    page = stranger.get(address())
    assert page.status_code == 403
    assert "belongs to no workspace" in text_of(page)


def test_whoever_needs_a_second_factor_is_not_signed_in_without_it(acme: Town, settings: Any) -> None:
    owner = acme["owner"]
    owner.member.workspace.requires_two_factor = True
    owner.member.workspace.save()
    browser = owner.browser()
    assert "Signed in as" not in text_of(ask(browser))
    settings.OAUTH_SIGN_IN = "required"
    assert "requires two-factor authentication" in text_of(browser.get(address()))


def test_an_assistant_that_registered_itself_is_not_verified() -> None:
    made, _ = register(
        name="Claude", redirects=["http://localhost:7777/oauth/callback"], method=Method.NONE, now=1_700_000_000
    )
    said = text_of(ask(Client(), client_id=made.client_id, redirect_uri="http://localhost:7777/oauth/callback"))
    assert "An assistant that calls itself Claude wants to work in Hoursmith with your token." in said
    assert "Its name is not verified." in said
    assert "Access is given to localhost a program on this computer" in said
    assert "Continue only if you just started this on this computer." in said


def test_a_program_with_its_own_scheme_is_shown_with_it() -> None:
    redirect = "cursor://anysphere.cursor-mcp/oauth/callback"
    made, _ = register(name="Cursor", redirects=[redirect], method=Method.NONE, now=1_700_000_000)
    browser = Client()
    first = ask(browser, client_id=made.client_id, redirect_uri=redirect)
    assert "cursor://anysphere.cursor-mcp a program on this computer" in text_of(first)
    answered = decide(browser, first, "deny")
    assert answered["Refresh"].startswith(f"0; url={redirect}?error=access_denied")


def test_read_only_is_all_that_is_offered_where_no_more_is_asked_for(acme: Town, settings: Any) -> None:
    browser = Client()
    for changed in ({"scope": "hoursmith:read"}, {"resource": f"{settings.PUBLIC_URL}/mcp/readonly"}):
        first = ask(browser, **changed)
        assert "Read and write" not in text_of(first)
        assert submit(browser, first, acme["member"].caller.token, access="full").status_code == 400
        assert "Read only" in text_of(submit(browser, first, acme["member"].caller.token, access="readonly"))


def test_no_duration_is_longer_than_the_operator_allows(acme: Town, settings: Any) -> None:
    settings.OAUTH_GRANT_DAYS = 30.0
    browser = Client()
    first = ask(browser)
    assert "90 days" not in text_of(first)
    assert submit(browser, first, acme["member"].caller.token, days="90").status_code == 400


def test_what_is_lost_and_won_stands_beside_the_tokens_field(hosted: Hoursmith, settings: Any) -> None:
    page = ask(Client())
    said = text_of(page)
    assert "What happens to your token: you enter it here once." in said
    assert "only this console can decrypt it" in said
    assert "If the assistant can send an Authorization header, prefer that" in said
    assert settings.HOURSMITH_TOKENS_URL in page.content.decode()
    assert "Create a token instead" not in said
