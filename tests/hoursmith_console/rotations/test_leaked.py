"""“Rotate now” stops a leaked token, starts its rotation and creates the new token, all or nothing."""

import re
from typing import Any

import pytest
from django.test import Client

from hoursmith_console.leaked_tokens.models import LeakReport
from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.sandbox.models import Token
from mcpbridge.models import AuditEvent, TokenBlock
from tests.hoursmith_console.conftest import account_of
from tests.hoursmith_console.sandbox_members import Somebody, Town
from tests.reauthentication import trusted_client

pytestmark = pytest.mark.django_db(databases="__all__")


def address_of(whose: Somebody) -> str:
    return f"/rotations/new/?token=live_{whose.token.prefix}&kind=leaked"


def browser_of(person: Somebody) -> Client:
    return trusted_client(account_of(person.member))


def form_of(client: Client, address: str) -> dict[str, str]:
    """The form as the page offers it."""
    page = client.get(address).content.decode()
    assert "Rotate now" in page
    return dict(re.findall(r'<input type="hidden" name="(kind|mark)" value="([^"]+)"', page))


def is_revoked(whose: Somebody) -> bool:
    return not Token.objects.filter(prefix=whose.token.prefix, revoked_at=None).exists()


def actions() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("tool", flat=True))


def test_the_owner_gets_the_new_token_in_the_same_step(acme: Town) -> None:
    member = acme["member"]
    client = browser_of(member)
    form = form_of(client, address_of(member))
    before = len(actions())
    shown = client.post(address_of(member), form)
    rotation = Rotation.objects.get()
    assert (rotation.kind, rotation.reason) == (RotationKind.LEAKED, "Leaked")
    assert rotation.revoked_at is not None
    assert is_revoked(member)
    assert f"hsk_live_{rotation.new_prefix}_" in shown.content.decode()
    assert "no-store" in shown.headers["Cache-Control"]
    assert set(actions()[before:]) == {
        "console.rotation_start", "console.rotation_revoke", "console.token_mint", "console.rotation_mint",
    }  # fmt: skip
    # Sent again, as by a reload, it creates nothing and leads to the rotation.
    again = client.post(address_of(member), form)
    assert again.headers["Location"] == rotation.get_absolute_url()
    rotation.refresh_from_db()
    assert Token.objects.filter(prefix=rotation.new_prefix, revoked_at=None).count() == 1


def test_an_admin_stops_the_token_and_its_owner_creates_the_new_one(acme: Town) -> None:
    client = browser_of(acme["admin"])
    address = address_of(acme["member"])
    answer = client.post(address, form_of(client, address))
    rotation = Rotation.objects.get()
    assert answer.headers["Location"] == rotation.get_absolute_url()
    assert is_revoked(acme["member"])
    assert rotation.new_prefix == ""
    page = client.get(answer.headers["Location"]).content.decode()
    assert f"{rotation.masked_token} revoked." in page
    assert "can create the new token" in page


def test_with_hosted_hoursmith_it_is_blocked_until_it_is_revoked_there(acme: Town, settings: Any) -> None:
    settings.SANDBOX_MODE = False
    member = acme["member"]
    client = browser_of(member)
    answer = client.post(address_of(member), form_of(client, address_of(member)), follow=True)
    rotation, block = Rotation.objects.get(), TokenBlock.objects.get(lifted_at=None)
    assert (block.prefix, block.reason, block.liftable_by) == (member.token.prefix, "Leaked", member.member.pk)
    assert rotation.revoked_at is None
    page = answer.content.decode()
    assert "Blocked" in page
    assert "I have revoked it" in page


@pytest.mark.parametrize("mark", ["short", "?" * 22])
def test_a_form_that_is_not_ours_changes_nothing(acme: Town, mark: str) -> None:
    client = browser_of(acme["member"])
    before = actions()
    answer = client.post(address_of(acme["member"]), {"kind": "leaked", "mark": mark})
    assert answer.status_code == 400
    assert not Rotation.objects.exists()
    assert not is_revoked(acme["member"])
    assert actions() == before


def test_a_planned_rotation_becomes_one_of_a_leaked_token(acme: Town) -> None:
    member = acme["member"]
    planned = start_rotation(
        env="live", prefix=member.token.prefix, workspace=member.member.workspace, kind="planned", actor="Ana"
    )
    client = browser_of(member)
    client.post(address_of(member), form_of(client, address_of(member)))
    rotation = Rotation.objects.get()
    assert (rotation.pk, rotation.kind, bool(rotation.new_prefix)) == (planned.pk, RotationKind.LEAKED, True)


def test_nothing_is_stopped_without_re_authentication(acme: Town) -> None:
    member, client = acme["member"], Client()
    client.force_login(account_of(member.member))
    assert client.get(address_of(member)).headers["Location"].startswith("/accounts/reauthenticate/?next=%2Frotations")
    answer = client.post(address_of(member), {"kind": "leaked", "mark": "a" * 22, "reason": "In a chat"})
    rotation = Rotation.objects.get()
    assert answer.headers["Location"] == rotation.get_absolute_url()
    assert (rotation.reason, rotation.revoked_at, is_revoked(member)) == ("In a chat", None, False)


def test_a_single_report_is_rotated_from_the_overview(acme: Town) -> None:
    member = acme["member"]
    LeakReport.objects.create(
        workspace=member.member.workspace, env="live", prefix=member.token.prefix, reported_by="Bob"
    )
    link = address_of(member).replace("&", "&amp;")
    for who, is_offered in (("member", True), ("owner", True), ("manager", False)):
        client = browser_of(acme[who])
        for page in ("/", "/rotations/leaked-tokens/"):
            assert (link in client.get(page).content.decode()) is is_offered, (who, page)
