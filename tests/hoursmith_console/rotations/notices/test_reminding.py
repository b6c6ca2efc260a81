"""An admin reminds the owner of one rotation: once a day, recorded, and only while something is left to do."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail as outgoing
from django.test import Client
from django.utils import timezone

from hoursmith_console.rotations.models import Rotation
from hoursmith_console.rotations.notices.mails import send_due_mails
from hoursmith_console.rotations.services import start_rotation
from tests.hoursmith_console.campaigns.test_campaigns import events
from tests.hoursmith_console.conftest import Cast

Browse = Callable[[str], Client]
NOW = timezone.now()


@pytest.fixture
def rotation(cast: Cast) -> Rotation:
    token = cast.tokens["manager"]
    return start_rotation(
        env=token.env, prefix=token.prefix, workspace=cast.workspace, kind="planned", actor="Ana Person"
    )


def _remind(client: Client, rotation: Rotation) -> str:
    return client.post(f"/rotations/{rotation.pk}/remind/", follow=True).content.decode()


def test_the_owner_gets_one_email_a_day(browse: Browse, rotation: Rotation) -> None:
    assert "Reminder to Manager Person queued." in _remind(browse("admin"), rotation)
    assert "No reminder sent" in _remind(browse("owner"), rotation)
    assert send_due_mails(now=timezone.now()) == 1
    assert [message.to for message in outgoing.outbox] == [["manager@example.com"]]
    assert len(events("rotation_remind")) == 1


@pytest.mark.parametrize(("person", "status"), [("manager", 403), ("member", 404), ("outsider", 404)])
def test_only_admins_remind_others(browse: Browse, rotation: Rotation, person: str, status: int) -> None:
    assert browse(person).post(f"/rotations/{rotation.pk}/remind/").status_code == status
    assert not events("rotation_remind")


def test_no_member_is_reminded_of_what_is_done(cast: Cast, browse: Browse, rotation: Rotation) -> None:
    token = cast.tokens["manager"]
    token.last_used_at = NOW - timedelta(hours=1)
    token.save()
    Rotation.objects.update(
        minted_at=NOW, verified_at=NOW, revoked_at=NOW, new_env="live", new_prefix="f" * 12, owner_name="Manager Person"
    )
    assert "Nothing is left for the owner to do." in _remind(browse("admin"), rotation)
    assert "Send reminder" not in browse("admin").get(f"/rotations/{rotation.pk}/").content.decode()
    assert not events("rotation_remind")
