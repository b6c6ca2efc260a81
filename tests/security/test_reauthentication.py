"""Every form of the console, sent with a sign-in that is not recent: it is asked again, and nothing of it is kept."""

import json
import re
import time
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from hoursmith_console.audit.models import Verification
from tests.hoursmith_console.conftest import PASSWORD
from tests.page_urls import account_routes, console_routes, filled
from tests.paths import ROOT
from tests.security.conftest import Browse, World
from tests.token_shapes import assembled_token

pytestmark = pytest.mark.django_db(databases="__all__")
SECRET = "Zq8vLm2RtY"
TOKEN = assembled_token(secret=SECRET)
PIECE = 8


def field_names() -> set[str]:
    """The fields that any form or view of the product has, and one that none has."""
    sources = [*ROOT.glob("hoursmith_console/**/*.py"), *ROOT.glob("templates/**/*.html")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    names = set(re.findall(r'name="([a-z_]\w*)"', text)) | set(re.findall(r"^    (\w+) = forms\.", text, re.MULTILINE))
    names |= set(re.findall(r'POST\.(?:get|getlist)\("(\w+)"', text)) | {"login", "next", "anything", "code"}
    assert len(names) > 30
    return names


def kept() -> str:
    """All that the sessions hold, opened."""
    rows = Session.objects.all()
    return json.dumps([[row.get_decoded(), row.session_data] for row in rows], default=str).lower()


def traces() -> set[str]:
    """The pieces of the secret that a session holds."""
    secret, text = TOKEN.rpartition("_")[2].lower(), kept()
    return {secret[at : at + PIECE] for at in range(len(secret) - PIECE) if secret[at : at + PIECE] in text}


def address_of(world: World, route: str) -> str:
    return world.address(route) if route in console_routes() else filled(route)


@pytest.mark.parametrize(
    ("person", "ways"),
    [
        ("owner", "password"),
        ("owner", "password and openid"),
        ("member", "password"),
        ("anonymous", "password and openid"),
    ],
)
def test_no_form_that_came_too_early_is_kept(
    hostile: World, browse: Browse, request: pytest.FixtureRequest, person: str, ways: str
) -> None:
    if "openid" in ways:
        request.getfixturevalue("issuer")
    # One goes on, so that no thread is started here.
    Verification.objects.create(org_id=hostile.cast.org_id)
    names, asked = field_names(), set()
    # Nothing else would take out what is not shaped like a token. One person sends tokens, too.
    unshaped = TOKEN.rpartition("_")[2]
    tried = (TOKEN, unshaped) if (person, ways) == ("owner", "password and openid") else (unshaped,)
    # As the pages send them: hundreds of fields, each a part of its own, take longer to read than all that follows.
    forms = [urlencode(dict.fromkeys(names, sent)) for sent in tried]
    for route in [*console_routes(), *account_routes()]:
        address = f"{address_of(hostile, route)}?token=live_0a2c1bdedf00"
        for form in forms:
            answer = browse(person).post(address, form, content_type="application/x-www-form-urlencoded")
            assert answer.status_code < 500, f"{route}: {answer.status_code}"
            assert not traces(), f"{route} keeps what was sent to it"
            # What was looked through once is not looked through again with every request.
            Session.objects.all().delete()
            if answer.status_code == 302 and "reauthenticate" in answer["Location"]:
                asked.add(route)
    if person == "owner":
        # The walk came to those that it is about.
        assert {"tokens/block/", "members/invite/", "audit/export/", "audit/destinations/new/"} <= asked
        assert {"accounts/2fa/app/add/", "accounts/2fa/codes/new/", "approvals/policy/"} <= asked
        assert len(asked) > 20


def test_whoever_is_asked_comes_back_to_the_empty_form_and_is_told(hostile: World, browse: Browse) -> None:
    visitor = browse("owner")
    form = "/members/invite/"
    asked = visitor.post(form, {"email": "new@example.com", "role": "MEMBER"}, HTTP_REFERER=f"http://testserver{form}")
    assert asked["Location"] == "/accounts/reauthenticate/?next=%2Fmembers%2Finvite%2F"
    assert "Please fill it in again" not in visitor.get(asked["Location"]).content.decode()
    back = visitor.post(asked["Location"], {"password": PASSWORD, "next": form}, follow=True)
    page = back.content.decode()
    assert back.redirect_chain == [(form, 302)]
    assert "Please fill it in again." in page
    assert "new@example.com" not in page


def test_a_form_on_another_page_leads_back_to_that_page(hostile: World, browse: Browse) -> None:
    person = hostile.cast.people["member"].pk
    page = f"http://testserver/members/{person}/?from=list"
    asked = browse("owner").post(f"/members/{person}/close/", HTTP_REFERER=page)
    assert asked["Location"] == f"/accounts/reauthenticate/?next=%2Fmembers%2F{person}%2F%3Ffrom%3Dlist"
    for stranger in ("https://evil.example/members/", "//evil.example/", "javascript:alert(1)"):
        asked = browse("owner").post("/members/invite/", HTTP_REFERER=stranger)
        assert asked["Location"] == "/accounts/reauthenticate/?next=%2Fmembers%2Finvite%2F"


def test_a_page_with_such_a_form_asks_before_it_shows_it(hostile: World, browse: Browse) -> None:
    for address in (
        "/members/invite/",
        "/audit/export/",
        "/activity/export/",
        "/audit/destinations/new/",
        "/tokens/block/",
    ):
        answer = browse("owner").get(address, {"token": "live_0a2c1bdedf00"} if "block" in address else {})
        assert answer.status_code == 302, address
        assert answer["Location"].startswith("/accounts/reauthenticate/?next=%2F"), address


def test_a_part_of_a_page_leads_the_whole_page_to_re_authentication(hostile: World, browse: Browse) -> None:
    answer = browse("owner").post("/members/invite/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"].partition("?")[0]) == (200, "/accounts/reauthenticate/")


def test_a_sign_in_of_a_moment_ago_is_recent_and_an_older_one_is_not(hostile: World, settings: Any) -> None:
    visitor = Client()
    visitor.post("/accounts/login/", {"login": "owner@example.com", "password": PASSWORD})
    assert visitor.get("/members/invite/").status_code == 200
    session = visitor.session
    steps = session["account_authentication_methods"]
    session["account_authentication_methods"] = [
        {**step, "at": time.time() - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT - 1} for step in steps
    ]
    session.save()
    assert visitor.get("/members/invite/").status_code == 302


def test_an_account_that_has_no_way_to_re_authenticate_does_nothing_sensitive(hostile: World, browse: Browse) -> None:
    user = hostile.cast.people["owner"].user
    assert user is not None
    user.set_unusable_password()
    user.save()
    visitor = browse("owner")
    answer = visitor.get("/members/invite/")
    assert answer.status_code == 403
    assert "Can’t confirm it’s you" in answer.content.decode()
    assert visitor.get("/accounts/password/set/").status_code == 403


@pytest.mark.parametrize("spelled", [TOKEN, TOKEN.replace("_", "%5F"), TOKEN.upper()])
@pytest.mark.usefixtures("issuer")
def test_where_a_sign_in_leads_is_kept_without_a_token(hostile: World, with_app: Any, spelled: str) -> None:
    """The address that comes after a second factor, or after the provider, waits in the session."""
    with_app("owner")
    target = f"/audit/?q={spelled}"
    visitor = Client()
    form = {"login": "owner@example.com", "password": PASSWORD}
    for address in ("/accounts/login/", "/accounts/openid/login/"):
        for query, body in ((urlencode({"next": target}), form), ("", {**form, "next": target})):
            assert visitor.post(f"{address}?{query}", body).status_code < 500
            assert not traces()
    visitor = Client()
    visitor.post("/accounts/login/", {**form, "next": "/audit/?q=client"})
    assert "/audit/?q=client" in kept()
