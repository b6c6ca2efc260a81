"""The members area: who sees whom, who lets in, shuts out and signs out whom, and what the record says of it."""

import re
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.management import call_command
from django.test import Client, override_settings

from hoursmith_console.workspaces.models import Invitation, Member, Workspace
from hoursmith_console.workspaces.services import import_member, link_account
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import PASSWORD, ROLES, Cast, account_of
from tests.hoursmith_console.sign_in.people import operators_link, password_given, told
from tests.same_pages import without_times

Browse = Callable[[str], Client]
LINK = re.compile(r"/accounts/invitation/[\w-]+/")


def _address(cast: Cast, name: str, deed: str = "") -> str:
    return f"/members/{cast.people[name].pk}/{deed}"


@pytest.mark.parametrize("name", ["owner", "admin"])
def test_who_reviews_sees_everybody_and_nobody_of_another_workspace(browse: Browse, name: str) -> None:
    page = browse(name).get("/members/").content.decode()
    assert all(f"{role}@example.com" in page for role in ROLES)
    assert "outsider@example.com" not in page


@pytest.mark.parametrize("name", ["manager", "member"])
def test_the_others_see_themselves(cast: Cast, browse: Browse, name: str) -> None:
    visitor = browse(name)
    page = visitor.get("/members/").content.decode()
    assert [role for role in ROLES if f"{role}@example.com" in page] == [name]
    assert visitor.get(_address(cast, name)).status_code == 200
    assert visitor.get(_address(cast, "owner")).status_code == 404


def test_a_page_shows_account_factor_tokens_and_sessions(cast: Cast, browse: Browse) -> None:
    password_given("manager", Client(REMOTE_ADDR="198.51.100.9", HTTP_USER_AGENT="Firefox on Windows"))
    page = browse("owner").get(_address(cast, "manager")).content.decode()
    for words in (
        "manager@example.com",
        "manager&#x27;s laptop",
        "no two-factor authentication",
        "198.51.100.9",
        "Firefox on Windows",
    ):
        assert words in page


def test_an_outsider_finds_nobody(cast: Cast, browse: Browse, trusted: Browse) -> None:
    assert browse("outsider").get(_address(cast, "member")).status_code == 404
    for deed in ("invite/", "close/", "open/", "sign-out/", "auditor/"):
        assert trusted("outsider").post(_address(cast, "member", deed)).status_code == 404
    assert told() == []


@pytest.mark.parametrize("deed", ["invite/", "close/", "open/", "sign-out/", "auditor/"])
def test_only_owner_and_admin_decide_and_only_with_a_recent_sign_in(
    cast: Cast, browse: Browse, trusted: Browse, deed: str
) -> None:
    for name in ("manager", "member"):
        assert trusted(name).post(_address(cast, "owner", deed)).status_code == 403
    answer = browse("owner").post(_address(cast, "member", deed))
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert trusted("owner").get(_address(cast, "member", deed)).status_code == 405
    assert told() == []


@pytest.mark.parametrize("deed", ["close/", "sign-out/", "auditor/"])
def test_an_admin_decides_nothing_about_an_owner_and_nobody_about_themselves(
    cast: Cast, trusted: Browse, deed: str
) -> None:
    assert trusted("admin").post(_address(cast, "owner", deed)).status_code == 403
    assert trusted("owner").post(_address(cast, "owner", deed)).status_code == 403


def test_a_closed_console_ends_sessions_and_outlasts_an_import(cast: Cast, browse: Browse, trusted: Browse) -> None:
    theirs = browse("member")
    assert theirs.get("/").status_code == 200
    trusted("admin").post(_address(cast, "member", "close/"))
    assert theirs.get("/").status_code == 302
    known = cast.people["member"]
    import_member(
        workspace=cast.workspace,
        member_id=known.member_id,
        user_ref=known.user_ref,
        name=known.name,
        email=known.email,
        role="ADMIN",
    )
    assert password_given("member").get("/").status_code == 404
    trusted("owner").post(_address(cast, "member", "open/"))
    assert password_given("member").get("/").status_code == 200
    assert [each for each in told() if each.startswith("access")] == ["access_close", "access_open"]


def test_somebody_shut_out_of_one_workspace_stays_in_the_other(cast: Cast, browse: Browse, trusted: Browse) -> None:
    elsewhere = import_member(
        workspace=cast.other, member_id="x", user_ref="x", name="M", email="member@example.com", role="MEMBER"
    )
    link_account(member=elsewhere, user=account_of(cast.people["member"]))
    theirs = browse("member")
    trusted("owner").post(_address(cast, "member", "close/"))
    assert "Globex Ltd" in theirs.get("/").content.decode()


def test_a_teammate_is_signed_out_everywhere(cast: Cast, trusted: Browse) -> None:
    theirs = [password_given("manager") for _ in range(2)]
    trusted("admin").post(_address(cast, "manager", "sign-out/"))
    assert [each.get("/").status_code for each in theirs] == [302, 302]
    row = AuditEvent.objects.get(tool="console.member_sign_out")
    assert (row.actor, row.target_label, row.arguments) == (
        cast.people["admin"].display_identity,
        cast.people["manager"].display_identity,
        {"ended": 2},
    )


def test_without_mail_no_page_shows_a_link_but_the_command_that_an_operator_types(trusted: Browse) -> None:
    page = (
        trusted("admin")
        .post("/members/invite/", {"email": "New@example.com", "role": "MEMBER", "unlisted": "on"})
        .content.decode()
    )
    assert not LINK.search(page)
    command = "manage.py console_invite --email new@example.com --role member --workspace org-acme --force"
    assert command in page
    new = Member.objects.get(email="new@example.com")
    assert new.user is None
    assert "invited" in trusted("admin").get(f"/members/{new.pk}/").content.decode()
    assert not LINK.search(trusted("admin").get(f"/members/{new.pk}/").content.decode())
    assert told() == ["invite"]


def test_the_command_holds_nothing_that_a_shell_would_carry_out(trusted: Browse) -> None:
    page = trusted("owner").post(
        "/members/invite/", {"email": "a`id`$b@example.com", "role": "MEMBER", "unlisted": "on"}
    )
    assert "--email &#x27;a`id`$b@example.com&#x27; --role" in page.content.decode()


def test_an_operators_link_works_once_and_its_secret_is_kept_nowhere(cast: Cast) -> None:
    link = operators_link("new@example.com", "member", cast.workspace)
    invited = Client()
    form = invited.get(link, follow=True)
    assert link.split("/")[-2] not in form.request["PATH_INFO"]
    assert "no-store" in form["Cache-Control"]
    invited.post(form.request["PATH_INFO"], {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert invited.get("/").status_code == 200
    assert "no longer valid" in Client().get(link).content.decode()
    assert told() == ["invite", "invitation_accept", "sign_in"]
    kept = [list(AuditEvent.objects.values()), list(Invitation.objects.values()), dict(invited.session)]
    assert link.split("/")[-2] not in str(kept)


def test_a_member_with_an_account_is_invited_no_second_time(cast: Cast, trusted: Browse) -> None:
    for address, data in (
        (_address(cast, "manager", "invite/"), {}),
        ("/members/invite/", {"email": "manager@example.com", "role": "MANAGER"}),
    ):
        page = trusted("owner").post(address, data, follow=True).content.decode()
        assert "already has an account in this workspace" in page
    assert told() == []


def test_a_page_does_not_tell_of_an_account_in_another_workspace(cast: Cast, trusted: Browse) -> None:
    pages = []
    for email in ("outsider@example.com", "nobody-is@example.com"):
        answer = trusted("owner").post("/members/invite/", {"email": email, "role": "MEMBER", "unlisted": "on"})
        member = Member.objects.get(workspace=cast.workspace, email=email)
        pages.append(
            re.sub(r'value="[^"]*"|/members/\d+/', "", without_times(answer.content.decode()))
            .replace(email, "")
            .replace(member.name, "")
            .partition("<main")[2]
        )
        assert member.user is None
    assert pages[0] == pages[1]


def test_an_admin_makes_no_owner(cast: Cast, trusted: Browse) -> None:
    answer = trusted("admin").post("/members/invite/", {"email": "new@example.com", "role": "OWNER", "unlisted": "on"})
    assert answer.status_code == 400
    assert (
        trusted("owner")
        .post("/members/invite/", {"email": "new@example.com", "role": "OWNER", "unlisted": "on"})
        .status_code
        == 200
    )


def test_only_the_latest_invitation_counts(cast: Cast, trusted: Browse) -> None:
    first = operators_link("new@example.com", "member", cast.workspace)
    new = Member.objects.get(email="new@example.com")
    assert "Invite again" in trusted("owner").get(f"/members/{new.pk}/").content.decode()
    trusted("owner").post(f"/members/{new.pk}/invite/", {"unlisted": "on"})
    assert Client().get(first).status_code == 404


@override_settings(EMAIL_BACKEND="tests.mail_backend.EmailBackend")
def test_where_mail_leaves_the_link_goes_to_the_person_alone(trusted: Browse, mailoutbox: list[Any]) -> None:
    page = (
        trusted("owner")
        .post("/members/invite/", {"email": "new@example.com", "role": "MEMBER", "unlisted": "on"})
        .content.decode()
    )
    assert not LINK.search(page)
    assert "console_invite" not in page
    assert [message.to for message in mail.outbox] == [["new@example.com"]]
    assert LINK.search(str(mail.outbox[0].body))


@override_settings(EMAIL_BACKEND="tests.mail_backend.EmailBackend")
def test_a_name_with_line_breaks_begins_no_header_and_no_link(
    cast: Cast, trusted: Browse, mailoutbox: list[Any]
) -> None:
    name = "Acme\r\nBcc: all@example.com\nhttps://evil.example/"
    Workspace.objects.filter(pk=cast.workspace.pk).update(name=name)
    Member.objects.filter(pk=cast.people["owner"].pk).update(name="Owner\n\nhttps://evil.example/ Person")
    answer = trusted("owner").post("/members/invite/", {"email": "new@example.com", "role": "MEMBER", "unlisted": "on"})
    assert answer.status_code == 200
    message = mail.outbox[0].message()
    assert (message["To"], message["Bcc"]) == ("new@example.com", None)
    assert "\n" not in str(mail.outbox[0].subject)
    assert "evil.example" not in str(mail.outbox[0].body)


@override_settings(EMAIL_BACKEND="tests.mail_backend.EmailBackend")
def test_an_address_that_no_mail_can_go_to_is_said_so(trusted: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("Invalid address")

    monkeypatch.setattr("tests.mail_backend.EmailBackend.send_messages", refuse)
    answer = trusted("owner").post("/members/invite/", {"email": "new@example.com", "role": "MEMBER", "unlisted": "on"})
    assert "could not be sent" in answer.content.decode()


def test_a_link_to_a_new_password_does_not_get_past_a_second_factor(
    cast: Cast, browse: Browse, with_app: Callable[[str], list[str]]
) -> None:
    with_app("owner")
    elsewhere = browse("owner")
    printed = StringIO()
    call_command("console_password_reset", email="Owner@example.com", stdout=printed)
    client = Client()
    form = client.get(printed.getvalue().strip().removeprefix(settings.PUBLIC_URL), follow=True)
    client.post(
        form.request["PATH_INFO"],
        {"new_password1": "another long passphrase", "new_password2": "another long passphrase"},
    )
    assert client.get("/").status_code == 302
    assert elsewhere.get("/").status_code == 302
    assert told() == ["password_reset_link", "password_reset"]


@pytest.mark.usefixtures("audit_unavailable")
def test_what_cannot_be_recorded_is_not_done(cast: Cast, browse: Browse, trusted: Browse) -> None:
    theirs, admin = browse("member"), trusted("admin")
    for deed in ("close/", "sign-out/", "auditor/"):
        page = admin.post(_address(cast, "member", deed), follow=True).content.decode()
        assert "cannot be written" in page
    assert theirs.get("/").status_code == 200
    member = Member.objects.get(pk=cast.people["member"].pk)
    assert (member.access_revoked_at, member.is_auditor) == (None, False)


def test_a_list_of_many_people_asks_little(cast: Cast, browse: Browse, django_assert_max_num_queries: Any) -> None:
    for number in range(70):
        import_member(
            workspace=cast.workspace,
            member_id=f"m{number}",
            user_ref=f"u{number}",
            name=f"Person {number}",
            email=f"p{number}@example.com",
            role="MEMBER",
        )
    visitor = browse("owner")
    with django_assert_max_num_queries(12):
        page = visitor.get("/members/").content.decode()
    assert "?page=2" in page
