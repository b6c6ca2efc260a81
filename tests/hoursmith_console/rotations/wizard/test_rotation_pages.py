"""Rotation pages: who sees them, what each step offers, and what is refused."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.rotations.services import cancel_rotation, start_rotation
from mcpbridge.models import AuditEvent, TokenBlock
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_client, make_refusal, make_token

pytestmark = pytest.mark.django_db(databases="__all__")

Browse = Callable[[str], Client]
ACTS = (
    "revoke", "revoke-undo", "mint", "new-token", "new-token-undo", "confirm-all", "confirm-all-undo", "confirm",
    "mark-unused", "confirm-undo", "mark-leaked", "assign-owner", "finish", "cancel", "resume",
)  # fmt: skip


@pytest.fixture
def rotation(cast: Cast) -> Rotation:
    """An open rotation of the manager's token, which two assistants use."""
    token = cast.tokens["manager"]
    make_client(token, name="Cursor")
    make_client(token, name="claude-code", connection="ana-laptop")
    return start_rotation(
        env=token.env, prefix=token.prefix, workspace=cast.workspace, kind=RotationKind.PLANNED, actor="Ana Person"
    )


def page_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode().replace("&#x27;", "'")


@pytest.mark.parametrize(
    ("person", "status"), [("owner", 200), ("admin", 200), ("manager", 200), ("member", 404), ("outsider", 404)]
)
@pytest.mark.parametrize("address", ["/rotations/{}/", "/rotations/{}/live/"])
def test_a_rotation_exists_for_whose_token_it_is_and_for_reviewers(
    browse: Browse, rotation: Rotation, person: str, status: int, address: str
) -> None:
    assert browse(person).get(address.format(rotation.pk)).status_code == status


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("person", ["member", "outsider"])
def test_other_members_cannot_change_a_rotation(trusted: Browse, rotation: Rotation, person: str, act: str) -> None:
    assert trusted(person).post(f"/rotations/{rotation.pk}/{act}/").status_code == 404
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize("act", ACTS)
def test_an_act_does_nothing_on_get(trusted: Browse, rotation: Rotation, act: str) -> None:
    answer = trusted("owner").get(f"/rotations/{rotation.pk}/{act}/")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/rotations/{rotation.pk}/")
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize("act", ["revoke", "mint"])
def test_creating_and_revoking_require_re_authentication(browse: Browse, rotation: Rotation, act: str) -> None:
    answer = browse("manager").post(f"/rotations/{rotation.pk}/{act}/")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/reauthenticate/")


@pytest.mark.parametrize("person", ["owner", "admin"])
def test_a_member_cannot_create_a_token_for_another(trusted: Browse, rotation: Rotation, person: str) -> None:
    assert trusted(person).post(f"/rotations/{rotation.pk}/mint/", {"name": "x", "form": "x" * 22}).status_code == 403
    page = page_of(trusted(person), f"/rotations/{rotation.pk}/")
    assert "Only Manager Person can create the new token" in strip_tags(page)


def test_a_planned_rotation_refuses_to_revoke_before_the_new_token_was_seen(
    trusted: Browse, rotation: Rotation
) -> None:
    answer = trusted("owner").post(f"/rotations/{rotation.pk}/revoke/", follow=True)
    assert "not verified on every assistant" in answer.content.decode()
    rotation.refresh_from_db()
    assert rotation.revoked_at is None


SCREENS: dict[str, tuple[dict[str, Any], str]] = {
    "mint": ({}, "Create token"),
    "update": ({"minted_at": 3, "new_env": "live", "new_prefix": "f" * 12}, "I’ve updated all assistants"),
    "verify": (
        {"minted_at": 3, "updated_at": 2, "new_env": "live", "new_prefix": "f" * 12},
        "Waiting for each assistant’s first call",
    ),
    "revoke": ({"minted_at": 3, "verified_at": 1, "new_env": "live", "new_prefix": "f" * 12}, "Revoke hsk_live_"),
    "confirm_unused": (
        {"minted_at": 3, "verified_at": 2, "revoked_at": 1, "new_env": "live", "new_prefix": "f" * 12},
        "Finish rotation",
    ),
}


@pytest.mark.parametrize("screen", list(SCREENS))
@pytest.mark.parametrize("is_hosted", [False, True])
@pytest.mark.parametrize("person", ["manager", "owner"])
def test_each_step_has_its_screen(
    browse: Browse, rotation: Rotation, settings: Any, screen: str, is_hosted: bool, person: str
) -> None:
    settings.SANDBOX_MODE = not is_hosted
    columns, words = SCREENS[screen]
    now = timezone.now()
    Rotation.objects.filter(pk=rotation.pk).update(
        **{name: now - timedelta(minutes=value) if name.endswith("_at") else value for name, value in columns.items()}
    )
    page = page_of(browse(person), f"/rotations/{rotation.pk}/")
    assert 'aria-current="step"' in page
    assert "Save and exit" in page
    if is_hosted:
        assert f"/rotations/{rotation.pk}/mint/" not in page
        words = {"mint": "Settings → API", "revoke": "I have revoked it"}.get(screen, words)
    elif screen == "mint" and person == "owner":
        words = "can create the new token"
    assert words in page
    page_of(browse(person), f"/rotations/{rotation.pk}/live/")


def test_the_page_reloads_when_the_step_changed(browse: Browse, rotation: Rotation) -> None:
    client = browse("owner")
    assert "HX-Refresh" not in client.get(f"/rotations/{rotation.pk}/live/?stamp=planned-mint").headers
    assert client.get(f"/rotations/{rotation.pk}/live/?stamp=planned-update").headers["HX-Refresh"] == "true"


def test_late_attempts_with_the_old_token_are_shown(cast: Cast, browse: Browse, rotation: Rotation) -> None:
    now = timezone.now()
    Rotation.objects.filter(pk=rotation.pk).update(kind=RotationKind.LEAKED, revoked_at=now - timedelta(minutes=30))
    make_refusal(cast.tokens["manager"], connection="ana-laptop", client_name="claude-code")
    page = page_of(browse("manager"), f"/rotations/{rotation.pk}/")
    assert "claude-code</strong> still has the old token, last attempt" in page
    assert "Hoursmith does not accept it" in page


def test_the_overview_names_who_still_has_a_retired_token(cast: Cast, browse: Browse, rotation: Rotation) -> None:
    Rotation.objects.filter(pk=rotation.pk).update(revoked_at=timezone.now() - timedelta(minutes=30))
    make_refusal(cast.tokens["manager"], client_name="Cursor")
    page = page_of(browse("owner"), "/")
    assert '<strong class="name">Cursor</strong> still uses the old token' in page
    assert f'href="/rotations/{rotation.pk}/"' in page
    assert "an assistant may still" not in page


@pytest.mark.parametrize("person", ["owner", "member"])
def test_the_list_shows_what_is_under_way_first_and_only_ones_own(
    cast: Cast, browse: Browse, rotation: Rotation, person: str
) -> None:
    token = make_token(cast.org_id, "e" * 12, name="stopped one")
    other = start_rotation(
        env=token.env, prefix=token.prefix, workspace=cast.workspace, kind=RotationKind.LEAKED, actor="Ana Person"
    )
    cancel_rotation(rotation=other, actor="Ana Person")
    page = page_of(browse(person), "/rotations/")
    if person == "owner":
        assert page.index("manager's laptop") < page.index("stopped one")
        assert "1 of 5: Create new token" in page
        assert "stopped one" not in page_of(browse(person), "/rotations/?state=under_way")
    else:
        assert "manager's laptop" not in page
        assert "No rotations yet" in page


@pytest.mark.parametrize(("person", "status"), [("owner", 200), ("manager", 200), ("member", 404), ("outsider", 404)])
def test_one_begins_with_a_token_in_sight(
    cast: Cast, browse: Browse, trusted: Browse, person: str, status: int
) -> None:
    address = f"/rotations/new/?token=live_{cast.tokens['manager'].prefix}"
    assert trusted(person).get(address).status_code == status
    client = browse(person)
    assert client.post(address, {"kind": "leaked", "reason": "seen"}).status_code == (302 if status == 200 else 404)
    assert Rotation.objects.filter(kind=RotationKind.LEAKED, reason="seen").count() == (status == 200)


@pytest.mark.parametrize("token", ["", "nonsense", "live_" + "f" * 12])
def test_without_a_token_one_chooses_and_an_unknown_one_is_not_there(browse: Browse, token: str) -> None:
    answer = browse("owner").get(f"/rotations/new/?token={token}")
    assert answer.status_code == (404 if token else 200)


@pytest.mark.parametrize(("person", "status"), [("owner", 200), ("manager", 403), ("member", 403)])
def test_only_admins_offboard_a_member(cast: Cast, trusted: Browse, person: str, status: int) -> None:
    client, member = trusted(person), cast.people["member"]
    assert client.get("/rotations/offboarding/").status_code == status
    assert client.get(f"/rotations/offboarding/{member.pk}/").status_code == status
    assert client.get(f"/rotations/offboarding/{cast.people['outsider'].pk}/").status_code in (403, 404)


def test_offboarding_in_hosted_mode_starts_a_rotation_for_each_token(
    cast: Cast, trusted: Browse, settings: Any
) -> None:
    settings.SANDBOX_MODE = False
    member = cast.people["member"]
    answer = trusted("owner").post(f"/rotations/offboarding/{member.pk}/", {"reason": "left"}, follow=True)
    assert "1 token of Member Person must be revoked at Hoursmith." in answer.content.decode()
    rotation = Rotation.objects.get()
    assert (rotation.kind, rotation.revoked_at, rotation.reason) == (RotationKind.OFFBOARDING, None, "left")


@pytest.mark.parametrize(("person", "status"), [("owner", 302), ("manager", 302), ("member", 404), ("outsider", 404)])
def test_owners_of_a_token_block_and_unblock_it(cast: Cast, trusted: Browse, person: str, status: int) -> None:
    token = cast.tokens["manager"]
    client, query = trusted(person), f"?token=live_{token.prefix}"
    assert client.get(f"/tokens/block/{query}").status_code == (200 if status == 302 else 404)
    assert client.post(f"/tokens/block/{query}", {"reason": "seen on GitHub"}).status_code == status
    assert TokenBlock.objects.filter(lifted_at=None, reason="seen on GitHub").count() == (status == 302)
    if status == 302:
        assert "⊘ Blocked by" in page_of(client, "/tokens/?blocked=yes")
        assert "seen on GitHub" in page_of(client, f"/tokens/{token.pk}/")
    assert client.get(f"/tokens/unblock/{query}").status_code == status
    assert client.post(f"/tokens/unblock/{query}").status_code == status
    assert not TokenBlock.objects.filter(lifted_at=None).exists()


def test_who_is_blocked_by_an_admin_does_not_lift_it(cast: Cast, trusted: Browse) -> None:
    query = f"?token=live_{cast.tokens['manager'].prefix}"
    trusted("owner").post(f"/tokens/block/{query}", {"reason": "leak"})
    assert trusted("manager").post(f"/tokens/unblock/{query}").status_code == 403
    assert "Unblock token" not in page_of(trusted("manager"), f"/tokens/{cast.tokens['manager'].pk}/")
    assert TokenBlock.objects.filter(lifted_at=None).exists()


@pytest.mark.parametrize("address", ["/tokens/block/", "/tokens/unblock/"])
def test_blocking_requires_a_reason_and_re_authentication(
    cast: Cast, browse: Browse, trusted: Browse, address: str
) -> None:
    query = f"?token=live_{cast.tokens['manager'].prefix}"
    trusted("owner").post(f"/tokens/block/{query}", {"reason": "leak"})
    assert (
        browse("owner")
        .post(f"{address}{query}", {"reason": "x"})
        .headers["Location"]
        .startswith("/accounts/reauthenticate/")
    )
    assert trusted("owner").post(f"/tokens/block/{query}", {"reason": " "}).status_code == 400
