"""A mistyped address makes no member: what no member at Hoursmith has is invited only when asked for by name."""

import ast
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from hoursmith_console.workspaces.models import Invitation, Member
from mcpbridge.models import AuditEvent
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.sign_in.people import told
from tests.paths import ROOT

Browse = Callable[[str], Client]
pytestmark = pytest.mark.django_db

MISTYPED = "onwer@example.com"


def command(*more: str) -> tuple[str, str]:
    printed, said = StringIO(), StringIO()
    call_command("console_invite", "--email", MISTYPED, "--role", "owner", *more, stdout=printed, stderr=said)
    return printed.getvalue(), said.getvalue()


def test_the_command_refuses_it_and_says_how_to_insist(cast: Cast) -> None:
    given = ["--workspace", cast.workspace.org_id]
    with pytest.raises(CommandError, match=f"No member at Hoursmith has the address {MISTYPED}.*add --force"):
        command(*given)
    assert not Member.objects.filter(email=MISTYPED).exists()
    assert (told(), Invitation.objects.count()) == ([], 0)
    printed, said = command(*given, "--force")
    assert "/accounts/invitation/" in printed
    assert f"No member at Hoursmith has the address {MISTYPED}. It is invited with the role OWNER" in said
    assert AuditEvent.objects.get(tool="console.invite").arguments["is_unlisted"] is True
    # The same again asks again, since the list still has no such address.
    with pytest.raises(CommandError, match="add --force"):
        command(*given)


def test_a_member_at_hoursmith_needs_no_force_and_the_entry_says_nothing_of_it(cast: Cast) -> None:
    Member.objects.filter(pk=cast.people["manager"].pk).update(user=None)
    said = StringIO()
    given = ["--email", "Manager@example.com", "--role", "manager", "--workspace", cast.workspace.org_id]
    call_command("console_invite", *given, stdout=StringIO(), stderr=said)
    assert "No member" not in said.getvalue()
    assert AuditEvent.objects.get(tool="console.invite").arguments == {
        "role": "MANAGER",
        "channel": "link from an operator",
    }


def test_the_page_refuses_it_and_then_asks(cast: Cast, trusted: Browse) -> None:
    owner, sent = trusted("owner"), {"email": MISTYPED, "role": "OWNER"}
    assert 'name="unlisted"' not in owner.get("/members/invite/").content.decode()
    refused = owner.post("/members/invite/", sent)
    page = refused.content.decode()
    assert refused.status_code == 400
    assert f"No member at Hoursmith has the address {MISTYPED}" in page
    assert 'type="checkbox" name="unlisted"' in page
    assert not Member.objects.filter(email=MISTYPED).exists()
    assert told() == []
    # Another address in the same form is asked about again only if it is unknown too.
    assert owner.post("/members/invite/", {**sent, "unlisted": ""}).status_code == 400
    assert owner.post("/members/invite/", {**sent, "unlisted": "on"}).status_code == 200
    assert AuditEvent.objects.get(tool="console.invite").arguments["is_unlisted"] is True


def test_a_members_page_asks_before_it_invites_again(cast: Cast, trusted: Browse) -> None:
    command("--workspace", cast.workspace.org_id, "--force")
    key = Member.objects.get(email=MISTYPED).pk
    owner = trusted("owner")
    assert 'name="unlisted" required' in owner.get(f"/members/{key}/").content.decode()
    assert "No member at Hoursmith" in owner.post(f"/members/{key}/invite/", follow=True).content.decode()
    assert told() == ["invite"]
    assert owner.post(f"/members/{key}/invite/", {"unlisted": "on"}).status_code == 200
    assert told() == ["invite", "invite"]
    listed = cast.people["manager"]
    Member.objects.filter(pk=listed.pk).update(user=None)
    assert 'name="unlisted"' not in owner.get(f"/members/{listed.pk}/").content.decode()
    assert owner.post(f"/members/{listed.pk}/invite/").status_code == 200


def invitations_made() -> list[tuple[Path, ast.Call]]:
    """Every place of the product that calls the service."""
    return [
        (path, node)
        for path in sorted((ROOT / "hoursmith_console").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "invite"
    ]


def test_no_place_invites_without_asking() -> None:
    found = invitations_made()
    assert len(found) >= 2
    for path, call in found:
        given = [each.value for each in call.keywords if each.arg == "allow_unlisted"]
        assert not [value for value in given if isinstance(value, ast.Constant) and value.value], path
