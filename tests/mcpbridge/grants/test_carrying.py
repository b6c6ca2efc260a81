"""What a page carries to the next is good in the same browser, for ten minutes, and as it was made."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from mcpbridge.core.credential import Credential
from mcpbridge.grants.carrying import ExpiredPageError, open_pending, read_request, seal_pending, sign_request
from mcpbridge.grants.registration import Method, register
from mcpbridge.grants.requests import InvalidRequestError
from tests.mcpbridge.grants.authorizing import BROWSER, IDENTITY, SECRET, pending, request

NOW = datetime.fromisoformat("2026-12-01T10:00:00+00:00")


def sealed(**more: object) -> str:
    made = {
        "request": request(scope="hoursmith:read"),
        "credential": Credential(env="test", prefix="4f8a2c1bdedf", secret=SECRET),
        "identity": IDENTITY,
        "lasts": timedelta(days=400),
        "is_read_only": False,
        "browser": BROWSER,
        **more,
    }
    return seal_pending(**made).reveal()  # type: ignore[arg-type]


def test_a_request_comes_back_as_it_was() -> None:
    for asked in (
        request(),
        request(state=None, resource="http://127.0.0.1:8000/mcp/c/abcdefgh2345/readonly"),
        request(scope="hoursmith:read"),
    ):
        assert read_request(sign_request(asked, browser=BROWSER), browser=BROWSER) == asked


def test_a_token_comes_back_with_who_it_is_and_what_was_chosen() -> None:
    found = open_pending(sealed(), browser=BROWSER)
    assert (found.credential.env, found.credential.secret) == ("test", SECRET)
    assert (found.identity, found.request) == (IDENTITY, request(scope="hoursmith:read"))
    # Never longer than the setting, never more than the assistant asked for.
    assert (found.lasts, found.is_read_only) == (timedelta(days=90), True)
    assert SECRET not in repr(found)
    assert pending().grant_id != pending().grant_id


@pytest.mark.parametrize("change", ["browser", "cut", "other"])
def test_it_is_good_in_the_same_browser_only(change: str) -> None:
    signed, made = sign_request(request(), browser=BROWSER), sealed()
    browser = "another" if change == "browser" else BROWSER
    if change == "cut":
        signed, made = signed[:-1], made[:-1]
    elif change == "other":
        signed, made = made, signed
    with pytest.raises(ExpiredPageError):
        read_request(signed, browser=browser)
    with pytest.raises(ExpiredPageError):
        open_pending(made, browser=browser)


def test_it_is_good_for_ten_minutes(stop_clock: Callable[[datetime], None], monkeypatch: pytest.MonkeyPatch) -> None:
    stop_clock(NOW)
    monkeypatch.setattr("time.time", lambda: NOW.timestamp())
    signed, made = sign_request(request(), browser=BROWSER), sealed()
    for seconds, is_good in ((599, True), (601, False)):
        later = NOW + timedelta(seconds=seconds)
        stop_clock(later)
        monkeypatch.setattr("time.time", lambda later=later: later.timestamp())
        if is_good:
            assert read_request(signed, browser=BROWSER)
            assert open_pending(made, browser=BROWSER)
        else:
            with pytest.raises(ExpiredPageError):
                read_request(signed, browser=BROWSER)
            with pytest.raises(ExpiredPageError):
                open_pending(made, browser=BROWSER)


def test_a_redirect_that_is_no_longer_acceptable_is_found_on_the_way(settings: Settings) -> None:
    settings.OAUTH_CLIENTS = "known"
    settings.OAUTH_REDIRECTS = ["https://assistant.example.com/callback"]
    made, _ = register(name="x", redirects=settings.OAUTH_REDIRECTS, method=Method.NONE, now=0)
    signed = sign_request(request(client_id=made.client_id, redirect_uri=settings.OAUTH_REDIRECTS[0]), browser=BROWSER)
    assert read_request(signed, browser=BROWSER)
    settings.OAUTH_REDIRECTS = []
    with pytest.raises(InvalidRequestError):
        read_request(signed, browser=BROWSER)
