"""Finished work is asked for nowhere: one predicate for the overview, lists, campaigns, emails and member pages."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.campaigns.criteria import Criteria
from hoursmith_console.campaigns.models import Campaign
from hoursmith_console.campaigns.services import campaign_summary, remind_owners, start_campaign
from hoursmith_console.rotations.models import Rotation, RotationKind
from hoursmith_console.rotations.rows import rotation_rows
from hoursmith_console.workspaces.viewer import Viewer
from mcpbridge.models import ObservedToken
from tests.hoursmith_console.conftest import Cast

pytestmark = pytest.mark.django_db(databases="__all__")
Browse = Callable[[str], Client]
NOW = timezone.now()
VERIFIED: dict[str, Any] = {"minted_at": NOW, "verified_at": NOW, "new_env": "live", "new_prefix": "f" * 12}
REVOKED: dict[str, Any] = {"revoked_at": NOW - timedelta(minutes=30)}
REPORTED: dict[str, Any] = {**REVOKED, "is_revocation_reported": True}


@pytest.fixture
def campaign(cast: Cast) -> Campaign:
    """A campaign about the manager's token, which was used last before its rotation."""
    token = cast.tokens["manager"]
    ObservedToken.objects.filter(pk=token.pk).update(last_used_at=NOW - timedelta(hours=2))
    return start_campaign(
        workspace=cast.workspace,
        title="Old ones",
        criteria=Criteria(),
        due_on=date(2020, 1, 31),
        tokens=[token],
        actor="Ana Person",
    )


def _change(campaign: Campaign, **columns: Any) -> Rotation:
    Rotation.objects.filter(campaign=campaign).update(**columns)
    return Rotation.objects.with_contradiction().get(campaign=campaign)


@pytest.mark.parametrize(
    ("columns", "is_accepted", "is_work"),
    [
        ({}, False, True),
        ({"minted_at": NOW}, False, True),
        (VERIFIED, False, True),
        ({**VERIFIED, **REVOKED}, False, False),
        ({**VERIFIED, **REPORTED}, False, False),
        ({**VERIFIED, **REPORTED}, True, True),
        ({**REVOKED, "kind": RotationKind.LEAKED}, False, True),
        ({**VERIFIED, **REPORTED, "kind": RotationKind.LEAKED}, False, False),
        ({"kind": RotationKind.OFFBOARDING}, False, True),
        ({**REPORTED, "kind": RotationKind.OFFBOARDING}, False, False),
        ({**REPORTED, "kind": RotationKind.OFFBOARDING}, True, True),
        ({**VERIFIED, **REVOKED, "ended_at": NOW, "outcome": "done"}, False, False),
        ({"ended_at": NOW, "outcome": "cancelled"}, False, False),
    ],
)
def test_query_row_and_rotation_agree_on_what_is_left_to_do(
    cast: Cast, campaign: Campaign, columns: dict[str, Any], is_accepted: bool, is_work: bool
) -> None:
    if is_accepted:
        ObservedToken.objects.filter(pk=cast.tokens["manager"].pk).update(last_used_at=NOW)
    rotation = _change(campaign, **columns)
    assert Rotation.objects.needing_action().exists() is is_work
    assert rotation.needs_action is is_work
    assert Rotation.objects.confirming().exists() is (not is_work and rotation.ended_at is None)
    row = rotation_rows(Viewer(cast.people["owner"], []), [rotation])[0]
    assert row.needs_action is is_work


def test_what_is_left_to_do_is_asked_for_and_what_is_done_is_not(
    cast: Cast, campaign: Campaign, browse: Browse
) -> None:
    rotation = _change(campaign, **VERIFIED)
    assert _asked(cast, campaign, browse) == set(PLACES)
    _change(campaign, **REVOKED)
    assert _asked(cast, campaign, browse) == set()
    day = NOW - timedelta(minutes=30) + timedelta(hours=24)
    for address in ("/rotations/", f"/rotations/{rotation.pk}/", f"/rotations/campaigns/{campaign.pk}/"):
        page = re.sub(r"<[^>]+>", "", _page(browse("owner"), address))
        assert f"Confirming until {day:%-d %b %Y} that the old token is unused" in page, address
    assert campaign_summary(campaign)["done"] == 1


PLACES = {
    "overview": ("manager", "/", "manager's laptop</strong>"),
    "member": ("owner", "/members/{member}/", "Rotations in progress"),
    "members": ("owner", "/members/", 'data-count="1" href="/rotations/?owner='),
    "list": ("owner", "/rotations/?state=under_way", "manager's laptop"),
    "overdue": ("owner", "/rotations/?state=late", "manager's laptop"),
    "tokens": ("owner", "/tokens/?state=replacing", "manager's laptop"),
    "campaign": ("owner", "/rotations/campaigns/{campaign}/", "1</a> open"),
    "campaigns": ("owner", "/rotations/campaigns/", "1</a> open"),
    "reminder": None,
}


def _asked(cast: Cast, campaign: Campaign, browse: Browse) -> set[str]:
    """The places that ask for the rotation."""
    found = set()
    for name, place in PLACES.items():
        if place is None:
            continue
        person, address, words = place
        address = address.format(member=cast.people["manager"].pk, campaign=campaign.pk)
        if words in _page(browse(person), address):
            found.add(name)
    if remind_owners(campaign=campaign, actor="Ana Person", now=timezone.now() + timedelta(days=1 + len(found))):
        found.add("reminder")
    return found


def _page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return " ".join(answer.content.decode().replace("&#x27;", "'").split())
