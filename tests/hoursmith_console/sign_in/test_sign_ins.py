"""Who gets in, how often one may try, and how one leaves."""

import re
from collections.abc import Callable

import pytest
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from hoursmith_console.sign_in.allauth_adapter import AccountAdapter
from tests.hoursmith_console.conftest import PASSWORD, Cast

Browse = Callable[[str], Client]
PAGES = ("/", "/tokens/", "/audit/", "/activity/", "/tokens/1/", "/activity/1/")


@pytest.mark.parametrize("address", PAGES)
def test_a_passer_by_is_sent_to_sign_in_and_back(cast: Cast, address: str) -> None:
    response = Client().get(address)
    assert response.status_code == 302
    assert response["Location"] == f"/accounts/login/?next={address}"


@pytest.mark.usefixtures("cast")
def test_a_seeded_person_signs_in_and_lands_where_they_were_going() -> None:
    answer = Client().post("/accounts/login/?next=/audit/", {"login": "Owner@example.com", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/audit/")


@pytest.mark.usefixtures("cast")
@pytest.mark.parametrize("target", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(target: str) -> None:
    answer = Client().post(f"/accounts/login/?next={target}", {"login": "owner@example.com", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/")


@pytest.mark.usefixtures("cast")
def test_unknown_and_wrong_get_the_same_answer() -> None:
    def answer(login: str) -> str:
        page = Client().post("/accounts/login/", {"login": login, "password": "not the password"})
        assert page.status_code == 200
        return page.context["form"].non_field_errors().as_text()

    assert answer("owner@example.com") == answer("nobody@example.com") != ""


@pytest.mark.usefixtures("cast")
def test_guessing_is_throttled_even_with_the_right_password_at_last() -> None:
    for _ in range(6):
        Client().post("/accounts/login/", {"login": "owner@example.com", "password": "not the password"})
    answer = Client().post("/accounts/login/", {"login": "owner@example.com", "password": PASSWORD})
    assert answer.status_code == 200
    assert "Too many" in answer.content.decode()


@pytest.mark.usefixtures("cast")
def test_very_many_attempts_from_one_address_get_429() -> None:
    statuses = {
        Client().post("/accounts/login/", {"login": f"{number}@example.com", "password": "x"}).status_code
        for number in range(32)
    }
    assert 429 in statuses


def test_attempts_are_counted_by_the_address_of_the_request_alone() -> None:
    claimed = RequestFactory().get("/", REMOTE_ADDR="203.0.113.5", HTTP_X_FORWARDED_FOR="198.51.100.7")
    assert AccountAdapter().get_client_ip(claimed) == "203.0.113.5"


@pytest.mark.parametrize("page", ["signup", "email", "confirm-email", "login/code", "password/reset", "social/signup"])
def test_accounts_have_no_other_pages(browse: Browse, page: str) -> None:
    assert Client().get(f"/accounts/{page}/").status_code == 404
    assert browse("owner").get(f"/accounts/{page}/").status_code == 404


def test_the_sign_in_page_promises_no_mail_and_no_sign_up() -> None:
    page = Client().get("/accounts/login/").content.decode()
    assert "reset" not in page.lower()
    assert "/accounts/signup/" not in page
    assert 'class="sandbox"' in page


def test_signing_out_takes_a_form(browse: Browse) -> None:
    visitor = browse("owner")
    assert visitor.get("/accounts/logout/").status_code == 200
    assert visitor.get("/").status_code == 200
    assert visitor.post("/accounts/logout/").status_code == 302
    assert visitor.get("/").status_code == 302


def test_a_password_is_changed_with_the_old_one(cast: Cast, browse: Browse) -> None:
    visitor, elsewhere = browse("member"), browse("member")
    new = "a much better passphrase"
    wrong = visitor.post("/accounts/password/change/", {"oldpassword": "no", "password1": new, "password2": new})
    assert wrong.status_code == 200
    done = visitor.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert (done.status_code, done["Location"]) == (302, "/")
    assert visitor.get("/").status_code == 200
    # Whoever else was signed in with the old password no longer is.
    assert elsewhere.get("/").status_code == 302


def test_an_account_without_a_workspace_can_still_sign_out(cast: Cast, browse: Browse) -> None:
    cast.people["outsider"].delete()
    page = browse("outsider").get("/")
    assert page.status_code == 404
    assert 'action="/accounts/logout/"' in page.content.decode()


@pytest.mark.usefixtures("cast")
@pytest.mark.parametrize("address", ["/accounts/login/", "/nothing/here/", "/tokens/"])
def test_every_answer_carries_the_strict_policies(browse: Browse, address: str) -> None:
    answer = browse("owner").get(address)
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("page", ["400", "403", "403_csrf", "404", "429", "500"])
def test_error_pages_need_nothing_to_be_shown(page: str) -> None:
    # The page for 500 is rendered without any context, and where the database may be the fault.
    shown = render_to_string(f"{page}.html")
    assert "Hoursmith" in shown
    assert "style=" not in shown


def test_a_form_from_elsewhere_gets_our_page(cast: Cast) -> None:
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post("/accounts/login/", {"login": "owner@example.com", "password": PASSWORD})
    assert answer.status_code == 403
    assert "Form expired" in answer.content.decode()


@pytest.mark.urls("tests.hoursmith_console.workspaces.mail_urls")
def test_a_forgotten_password_is_replaced_through_mail_where_mail_is_configured(
    cast: Cast, mailoutbox: list[EmailMessage]
) -> None:
    visitor, new = Client(), "a much better passphrase"
    assert "Forgot" in visitor.get("/accounts/login/").content.decode()
    asked = visitor.post("/accounts/password/reset/", {"email": "member@example.com"}, follow=True)
    assert "Check your email" in asked.content.decode()
    link = re.search(r"http://127\.0\.0\.1:8000(/accounts/password/reset/key/\S+)", str(mailoutbox[0].body))
    assert link is not None
    form = visitor.get(link[1], follow=True)
    assert "Choose a new password" in form.content.decode()
    done = visitor.post(form.request["PATH_INFO"], {"password1": new, "password2": new}, follow=True)
    assert "Password changed" in done.content.decode()
    assert visitor.post("/accounts/login/", {"login": "member@example.com", "password": new}).status_code == 302
    used = Client().get(link[1], follow=True)
    assert "no longer valid" in used.content.decode()


def test_pages_of_the_console_are_not_kept_by_caches(browse: Browse) -> None:
    assert "no-store" in browse("owner").get("/")["Cache-Control"]
