"""Revoke a token from its page: in the sandbox at once, hosted with evidence from Hoursmith."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.rotations.models import Rotation
from hoursmith_console.rotations.progress.sync import sync_rotation
from hoursmith_console.rotations.services import start_rotation
from hoursmith_console.sandbox.models import Token
from mcpbridge.models import AuditEvent, ObservedToken
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_refusal
from tests.hoursmith_console.sandbox_members import Town
from tests.reauthentication import trusted_client

pytestmark = pytest.mark.django_db(databases="__all__")
Browse = Callable[[str], Client]
REVOKE = "/tokens/revoke/?token=live_{}"


def actions() -> list[str]:
    return [
        tool.removeprefix("console.") for tool in AuditEvent.objects.order_by("sequence").values_list("tool", flat=True)
    ]


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().replace("&#x27;", "'").split())


def revoke(town: Town, who: str, token: ObservedToken) -> Any:
    return trusted_client(town[who].member.user).post(REVOKE.format(token.prefix), {"reason": "idle"}, follow=True)


@pytest.mark.parametrize("who", ["member", "owner"])
def test_in_the_sandbox_it_is_revoked_at_once(acme: Town, who: str) -> None:
    token = acme["member"].token
    page = text(revoke(acme, who, token))
    assert "revoked." in page
    assert Token.objects.get(prefix=token.prefix).revoked_at is not None
    rotation = Rotation.objects.get()
    assert (rotation.kind, rotation.outcome, rotation.is_revocation_reported) == ("revocation", "done", False)
    assert actions()[-3:] == ["rotation_start", "rotation_revoke", "rotation_finish"]


@pytest.mark.parametrize(("person", "status"), [("manager", 404), ("outsider", 404), ("auditor", 403)])
def test_who_may_not_revoke_it(cast: Cast, trusted: Browse, person: str, status: int) -> None:
    if person == "auditor":
        type(cast.people["admin"]).objects.filter(pk=cast.people["manager"].pk).update(is_auditor=True)
    visitor, address = (
        trusted("manager" if person == "auditor" else person),
        REVOKE.format(cast.tokens["member"].prefix),
    )
    assert visitor.get(address).status_code == status
    assert visitor.post(address, {"reason": "x"}).status_code == status
    assert not Rotation.objects.exists()


def test_it_asks_for_the_password(cast: Cast, browse: Browse) -> None:
    answer = browse("member").get(REVOKE.format(cast.tokens["member"].prefix))
    assert "/accounts/reauthenticate/" in answer["Location"]


def test_hosted_it_waits_for_evidence(cast: Cast, trusted: Browse, settings: Any) -> None:
    settings.SANDBOX_MODE = False
    token = cast.tokens["member"]
    page = text(trusted("member").post(REVOKE.format(token.prefix), {"reason": "idle"}, follow=True))
    assert settings.HOURSMITH_TOKENS_URL in page
    assert "I have revoked it" in page
    rotation = Rotation.objects.get()
    assert rotation.revoked_at is None
    trusted("member").post(f"/rotations/{rotation.pk}/revoke/")
    rotation.refresh_from_db()
    assert rotation.is_revocation_reported
    assert rotation.ended_at is None
    make_refusal(token, last_at=timezone.now() + timedelta(seconds=1))
    sync_rotation(rotation=rotation, now=timezone.now() + timedelta(seconds=2))
    assert rotation.outcome == "done"


def test_a_rotation_with_a_new_token_continues(acme: Town) -> None:
    token = acme["member"].token
    rotation = start_rotation(
        env="live", prefix=token.prefix, workspace=acme["member"].member.workspace, kind="planned", actor="Ana"
    )
    Rotation.objects.filter(pk=rotation.pk).update(new_env="live", new_prefix="b" * 12, minted_at=timezone.now())
    revoke(acme, "member", token)
    rotation.refresh_from_db()
    assert (rotation.kind, rotation.ended_at, rotation.new_prefix) == ("leaked", None, "b" * 12)
    assert rotation.revoked_at is not None


def test_a_revoked_token_offers_no_second_revocation(acme: Town) -> None:
    token = acme["member"].token
    revoke(acme, "member", token)
    browser = trusted_client(acme["member"].member.user)
    assert "Revoke token</a>" not in text(browser.get(f"/tokens/{token.pk}/"))
    assert "revoked already" in text(browser.get(REVOKE.format(token.prefix)))
