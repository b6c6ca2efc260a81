"""What people do in the console is in the audit record of their workspace, or it is not done."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from hoursmith_console.sign_in.invitation_views import invitation_path
from hoursmith_console.workspaces.invitations import invite
from hoursmith_console.workspaces.member_sync import sync_members
from hoursmith_console.workspaces.models import Invitation, Member, Workspace
from hoursmith_console.workspaces.services import import_member, link_account
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import PASSWORD, Cast, account_of

OWNER = "Owner Person <owner@example.com>"


def told(org_id: str = "org-acme") -> list[tuple[str, str, str, str]]:
    """Action, actor, target and result of each event in the workspace's record."""
    rows = AuditEvent.objects.filter(org_id=org_id, phase="event").order_by("sequence")
    return [(row.tool.removeprefix("console."), row.actor, row.target_label, row.result) for row in rows]


def sign_in(client: Client, name: str = "owner", password: str = PASSWORD) -> Any:
    return client.post("/accounts/login/", {"login": f"{name}@example.com", "password": password})


@pytest.mark.usefixtures("cast")
def test_coming_and_going_is_recorded() -> None:
    client = Client(REMOTE_ADDR="198.51.100.7")
    assert sign_in(client).status_code == 302
    client.post("/accounts/logout/")
    assert told() == [
        ("sign_in", OWNER, OWNER, "succeeded"),
        ("sign_out", OWNER, OWNER, "succeeded"),
    ]
    row = AuditEvent.objects.get(tool="console.sign_in")
    assert (row.address, row.arguments, row.org_name) == ("198.51.100.7", {"method": "password"}, "Acme Studio")
    assert told("org-globex") == []


@pytest.mark.usefixtures("cast")
def test_a_failed_try_at_a_known_account_is_recorded_without_what_was_typed() -> None:
    sign_in(Client(), password="a slip of the finger")
    sign_in(Client(), name="nobody")
    assert told() == [("sign_in_failed", "", OWNER, "refused")]
    assert "slip" not in str(AuditEvent.objects.values())


@pytest.mark.usefixtures("cast")
def test_a_guesser_cannot_fill_the_record() -> None:
    for _ in range(20):
        sign_in(Client(), password="not the password")
    assert len(told()) <= 5


def test_somebody_in_two_workspaces_is_recorded_in_both_and_in_no_third(cast: Cast) -> None:
    elsewhere = import_member(
        workspace=cast.other,
        member_id="m2",
        user_ref="u2",
        name="Owner Elsewhere",
        email="owner@example.com",
        role="ADMIN",
    )
    link_account(member=elsewhere, user=account_of(cast.people["owner"]))
    sign_in(Client())
    assert [action for action, *_ in told("org-acme")] == ["sign_in"]
    assert told("org-globex") == [("sign_in", elsewhere.display_identity, elsewhere.display_identity, "succeeded")]
    Member.objects.filter(pk=elsewhere.pk).update(is_active=False)
    sign_in(Client())
    assert (len(told("org-acme")), len(told("org-globex"))) == (2, 1)


@pytest.mark.usefixtures("cast", "audit_unavailable")
def test_nobody_gets_in_without_a_record() -> None:
    client = Client()
    answer = sign_in(client)
    assert answer.status_code == 503
    assert "Not saved" in answer.content.decode()
    assert client.get("/").status_code == 302


@pytest.mark.usefixtures("audit_unavailable")
def test_signing_out_works_without_a_record(browse: Callable[[str], Client], caplog: pytest.LogCaptureFixture) -> None:
    client = browse("owner")
    client.post("/accounts/logout/")
    assert client.get("/").status_code == 302
    assert "A sign-out could not be recorded" in caplog.text


@pytest.mark.usefixtures("cast", "audit_unavailable")
def test_a_failed_try_is_answered_alike_without_a_record(caplog: pytest.LogCaptureFixture) -> None:
    answer = sign_in(Client(), password="not the password")
    assert (answer.status_code, "A failed sign-in could not be recorded" in caplog.text) == (200, True)


def test_an_invitation_and_its_use_are_recorded(cast: Cast) -> None:
    link = _link(cast.workspace, "New@example.com", role="MANAGER", actor="ana (command line)")
    client = Client()
    page = client.get(link, follow=True)
    client.post(page.request["PATH_INFO"], {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert client.get("/").status_code == 200
    assert told() == [
        ("invite", "ana (command line)", "new <new@example.com>", "succeeded"),
        ("invitation_accept", "new <new@example.com>", "new <new@example.com>", "succeeded"),
        ("sign_in", "new <new@example.com>", "new <new@example.com>", "succeeded"),
    ]
    arguments = [row.arguments for row in AuditEvent.objects.order_by("sequence")]
    assert arguments == [
        {"role": "MANAGER", "channel": "link from an operator", "is_unlisted": True},
        {"channel": "link from an operator", "is_new": True},
        {"method": "invitation"},
    ]


def test_an_invitation_is_neither_made_nor_used_without_a_record(cast: Cast, request: pytest.FixtureRequest) -> None:
    link = _link(cast.workspace, "new@example.com")
    client, before = Client(), User.objects.count()
    page = client.get(link, follow=True)
    request.getfixturevalue("audit_unavailable")
    answer = client.post(page.request["PATH_INFO"], {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert answer.status_code == 503
    assert User.objects.count() == before
    assert client.get(link).status_code == 302
    with pytest.raises(AuditUnavailableError):
        _link(cast.workspace, "other@example.com")
    assert not Member.objects.filter(email="other@example.com").exists()


def _link(workspace: Workspace, email: str, role: str = "MEMBER", actor: str = "ana") -> str:
    _, secret = invite(
        workspace=workspace,
        email=email,
        role=role,
        channel=Invitation.Channel.OPERATOR,
        actor=actor,
        allow_unlisted=True,
    )
    return invitation_path(secret)


def _listed(name: str, role: str) -> dict[str, str]:
    return {
        "id": f"member-{name}",
        "userId": f"user-{name}",
        "name": f"{name.capitalize()} Person",
        "email": f"{name}@example.com",
        "role": role,
    }


def test_an_import_of_members_says_who_joined_left_and_changed(cast: Cast, request: pytest.FixtureRequest) -> None:
    roll = [_listed("owner", "OWNER"), _listed("admin", "MEMBER"), _listed("new", "MANAGER")]
    sync_members(workspace=cast.workspace, members=roll, actor="ana (command line)")
    assert told() == [("members_sync", "ana (command line)", "3 members", "succeeded")]
    assert AuditEvent.objects.get().arguments == {
        "joined": ["new@example.com"],
        "left": ["manager@example.com", "member@example.com"],
        "changed": {"admin@example.com": "ADMIN → MEMBER"},
    }
    request.getfixturevalue("audit_unavailable")
    again = [_listed("owner", "OWNER"), _listed("late", "MEMBER")]
    with pytest.raises(AuditUnavailableError, match=r"no longer a member: admin@example\.com, new@example\.com"):
        sync_members(workspace=cast.workspace, members=again, actor="ana")
    # What narrows is done all the same; nothing else is.
    active = Member.objects.filter(workspace=cast.workspace, is_active=True)
    assert [member.email for member in active] == ["owner@example.com"]
