"""Password resets by mail: one answer for everybody, a link for proven addresses alone, nothing left behind."""

import re
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from hoursmith_console.accounts.models import ConsoleSession
from hoursmith_console.sign_in import resets
from hoursmith_console.sign_in.invitation_views import recovery_path
from hoursmith_console.workspaces.access import revoke_access
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.sign_in.people import is_in, password_given, told

pytestmark = pytest.mark.urls("tests.hoursmith_console.workspaces.mail_urls")
NEW = "a much better passphrase"
LINK = re.compile(r"http://127\.0\.0\.1:8000(/accounts/password/reset/key/\S+)")


class Leaving(EmailBackend):
    """Mail leaves this machine, as far as the console knows; here it is kept."""


class Refusing(EmailBackend):
    """A mail server that takes nothing."""

    def send_messages(self, messages: Any) -> int:
        raise OSError("mail of member@example.com was not taken")


@pytest.fixture
def proven(cast: Cast) -> Cast:
    EmailAddress.objects.update(verified=True)
    return cast


def ask(email: str, client: Client | None = None) -> Any:
    return (client or Client()).post("/accounts/password/reset/", {"email": email})


def link_of(message: Any) -> str:
    found = LINK.search(str(message.body))
    assert found is not None, message.body
    return found[1]


def choose(client: Client, link: str, password: str = NEW) -> Any:
    form = client.get(link, follow=True)
    return client.post(form.request["PATH_INFO"], {"password1": password, "password2": password}, follow=True)


def test_known_and_unknown_addresses_get_one_answer(proven: Cast, mailoutbox: list[EmailMessage]) -> None:
    revoke_access(member=proven.people["manager"], actor="Admin")
    EmailAddress.objects.filter(user=proven.people["admin"].user).update(verified=False)
    answers = set()
    for who in ("member", "nobody", "manager", "admin"):
        answer = ask(f"{who}@example.com")
        answers.add((answer.status_code, answer["Location"], str(answer.headers.get("Set-Cookie"))))
    assert answers == {(302, "/accounts/password/reset/done/", "None")}
    # Only a proven address of somebody who may come in gets a link.
    assert [message.to for message in mailoutbox] == [["member@example.com"]]


def test_the_mail_is_in_our_words(proven: Cast, mailoutbox: list[EmailMessage]) -> None:
    ask("Member@Example.com")
    message = mailoutbox[0]
    assert message.subject == "Reset your password for the Hoursmith console"
    assert "Your password stays the same" in message.body
    for theirs in ("Thank you", "localhost", "testserver", "Hello from"):
        assert theirs not in message.body


def test_a_link_leads_to_the_configured_address_whatever_host_was_asked(
    proven: Cast, mailoutbox: list[EmailMessage]
) -> None:
    Client().post("/accounts/password/reset/", {"email": "member@example.com"}, HTTP_HOST="localhost")
    assert link_of(mailoutbox[0])


@pytest.mark.django_db(transaction=True)
def test_where_mail_leaves_the_answer_is_there_before_anything_is_looked_up(proven: Cast, settings: Any) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Leaving"
    go_on = Event()
    resets.sender.submit(go_on.wait, 60)
    asked = {}
    for email in ("member@example.com", "nobody@example.com"):
        with CaptureQueriesContext(connection) as queries:
            answer = ask(email)
        asked[email] = (answer.status_code, answer["Location"], len(queries))
        assert not any("emailaddress" in str(query["sql"]) for query in queries)
    assert len(set(asked.values())) == 1
    assert mail.outbox == []
    go_on.set()
    resets.sender.submit(int).result(60)
    assert [message.to for message in mail.outbox] == [["member@example.com"]]


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_takes_nothing_changes_no_answer_and_leaves_no_address_in_the_log(
    proven: Cast, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Refusing"
    assert ask("member@example.com")["Location"] == "/accounts/password/reset/done/"
    resets.sender.submit(int).result(60)
    assert "A password reset could not be sent: OSError" in caplog.text
    assert "member@example.com" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_masses_of_requests_wait_in_no_endless_row(
    proven: Cast, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Leaving"
    go_on = Event()
    resets.sender.submit(go_on.wait, 60)
    for number in range(105):
        resets.request_reset(email=f"{number}@example.com")
    assert caplog.text.count("A password reset was dropped") == 5
    go_on.set()
    resets.sender.submit(int).result(60)
    resets.request_reset(email="member@example.com")
    resets.sender.submit(int).result(60)
    assert len(mail.outbox) == 1


def test_a_reset_ends_every_session_and_lists_none_of_them(proven: Cast, mailoutbox: list[EmailMessage]) -> None:
    here, there = password_given("member"), password_given("member")
    ask("member@example.com")
    # The link is opened in a browser that is signed in.
    done = choose(here, link_of(mailoutbox[0]))
    assert "Password changed" in done.content.decode()
    assert (is_in(here), is_in(there)) == (False, False)
    assert not ConsoleSession.objects.filter(user=proven.people["member"].user).exists()
    back = Client()
    back.post("/accounts/login/", {"login": "member@example.com", "password": NEW})
    assert back.get("/accounts/sessions/").content.decode().count("CURRENT SESSION") == 1
    assert "Sign out all other sessions" not in back.get("/accounts/sessions/").content.decode()
    assert told().count("password_reset") == 1


def test_a_session_that_ended_with_its_password_is_listed_no_longer(proven: Cast) -> None:
    """Whatever sets the password, an operator's shell for one, knows nothing of the list."""
    password_given("member")
    user = proven.people["member"].user
    assert user is not None
    user.set_password(NEW)
    user.save()
    here = Client()
    here.post("/accounts/login/", {"login": "member@example.com", "password": NEW})
    assert "Sign out all other sessions" not in here.get("/accounts/sessions/").content.decode()


def test_a_link_works_once_for_an_hour_and_for_nothing_else(
    proven: Cast, mailoutbox: list[EmailMessage], at: Callable[[float], None]
) -> None:
    user = proven.people["member"].user
    assert user is not None
    for minutes, works in ((59, True), (61, False)):
        mailoutbox.clear()
        ask("member@example.com")
        at(minutes * 60)
        page = Client().get(link_of(mailoutbox[0]), follow=True).content.decode()
        assert ("no longer valid" not in page) is works
        at(0)
    used = link_of(mailoutbox[0])
    assert "Password changed" in choose(Client(), used).content.decode()
    assert "no longer valid" in Client().get(used, follow=True).content.decode()
    key = recovery_path(user=user).rstrip("/").rpartition("/")[2]
    foreign = re.sub(r"(/key/\w+-)[^/]+", rf"\g<1>{key}", used)
    assert "no longer valid" in Client().get(foreign, follow=True).content.decode()
    for broken in ("x", "x-y", "-", f"{'z' * 40}-y"):
        address = re.sub(r"(/key/\w+-)[^/]+", rf"\g<1>{broken}", used)
        assert "no longer valid" in Client().get(address, follow=True).content.decode()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Makes the links older: the lifetime ends so many seconds earlier."""
    lasting = resets.VALID

    def move(seconds: float) -> None:
        monkeypatch.setattr(resets, "VALID", lasting - resets.timedelta(seconds=seconds))

    return move


def test_a_reset_replaces_no_second_factor(
    proven: Cast, mailoutbox: list[EmailMessage], with_app: Callable[[str], list[str]]
) -> None:
    with_app("member")
    ask("member@example.com")
    client = Client()
    choose(client, link_of(mailoutbox[0]))
    client.post("/accounts/login/", {"login": "member@example.com", "password": NEW})
    assert not is_in(client)


def test_mails_to_one_address_are_few(proven: Cast, mailoutbox: list[EmailMessage]) -> None:
    statuses = [ask("member@example.com").status_code for _ in range(7)]
    unknown = [ask("nobody@example.com").status_code for _ in range(7)]
    assert statuses == unknown == [302] * 5 + [429] * 2
    assert len(mailoutbox) == 5
    assert AuditEvent.objects.count() == 0
