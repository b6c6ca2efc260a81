"""Campaigns: who is asked, who joins, progress and summary."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from hoursmith_console.campaigns.criteria import Criteria, tokens_matching
from hoursmith_console.campaigns.models import Campaign
from hoursmith_console.campaigns.services import (
    CampaignError,
    close_campaign,
    is_reminder_day,
    open_campaign,
    queue_reminders,
    remind_owners,
    start_campaign,
)
from hoursmith_console.rotations.models import Rotation, RotationMail
from hoursmith_console.rotations.services import cancel_rotation, start_rotation
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.models import AuditEvent, ObservedToken, TokenNotice
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_client, make_grant, make_token

NOW = timezone.now()
OWNER = "Owner Person <owner@example.com>"


@pytest.fixture(autouse=True)
def at_one_instant(stop_clock: Callable[[datetime], None]) -> None:
    stop_clock(NOW)


def start(cast: Cast, *names: str, **more: Any) -> Campaign:
    """A campaign about the tokens of these people."""
    given = {"title": "Rotate all", "due_on": NOW.date() + timedelta(days=14), "actor": OWNER, **more}
    tokens = [cast.tokens[name] for name in names]
    return start_campaign(workspace=cast.workspace, criteria=Criteria(), tokens=tokens, **given)


def events(action: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(tool=f"console.{action}").order_by("sequence"))


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        (Criteria(), {"owner", "admin", "manager", "member", "old"}),
        (Criteria(older_than_days=90), {"old"}),
        (Criteria(idle_days=30), {"old"}),
        (Criteria(role="ADMIN"), {"admin"}),
        (Criteria(assistant="Cursor"), {"member"}),
        (Criteria(assistant="Cursor", role="ADMIN"), set()),
        (Criteria(assistant="Claude"), {"manager"}),
    ],
)
def test_tokens_fit_when_all_that_is_given_holds(cast: Cast, criteria: Criteria, found: set[str]) -> None:
    for version in ("1", "2"):
        make_client(cast.tokens["member"], name="Cursor", version=version)
    make_grant(cast.tokens["manager"])
    make_grant(cast.tokens["admin"], ended_at=NOW)
    make_grant(cast.tokens["outsider"])
    long_ago = {"first_used_at": NOW - timedelta(days=91), "last_used_at": NOW - timedelta(days=31)}
    make_token(cast.org_id, "aaaaaaaaaaaa", name="old's laptop", **long_ago)
    make_token(cast.other.org_id, "bbbbbbbbbbbb", name="foreign's laptop", **long_ago)
    names = [token.token_name.removesuffix("'s laptop") for token in tokens_matching(cast.workspace, criteria, now=NOW)]
    assert set(names) == found
    assert len(names) == len(found)
    assert Criteria.from_json(criteria.to_json()) == criteria


def test_tokens_of_one_member_fit_by_their_owner(cast: Cast) -> None:
    criteria = Criteria(member=cast.people["manager"].pk)
    assert list(tokens_matching(cast.workspace, criteria, now=NOW)) == [cast.tokens["manager"]]
    assert criteria.describe(cast.workspace) == ["tokens of Manager Person"]
    assert Criteria(member=cast.people["outsider"].pk).describe(cast.workspace) == ["tokens of a former member"]


def test_each_owner_is_asked_once_and_it_is_logged(cast: Cast) -> None:
    under_way = start_rotation(
        env="live", prefix=cast.tokens["member"].prefix, workspace=cast.workspace, kind="planned", actor="Member"
    )
    campaign = start(cast, "manager", "member", reason="New rules")
    rotations = Rotation.objects.filter(campaign=campaign)
    assert set(rotations.values_list("owner_name", flat=True)) == {"Manager Person", "Member Person"}
    assert under_way in rotations
    assert Rotation.objects.count() == 2
    assert set(TokenNotice.objects.filter(ended_at=None).values_list("prefix", flat=True)) == {
        cast.tokens["manager"].prefix,
        cast.tokens["member"].prefix,
    }
    (row,) = events("campaign_start")
    assert (row.target_label, row.note, row.actor) == ("Rotate all", "New rules", OWNER)
    assert (row.arguments["count"], row.arguments["without_owner"]) == (2, 0)


def test_opening_a_campaign_asks_the_same_of_the_database_for_any_number_of_tokens(
    cast: Cast, django_assert_max_num_queries: Any
) -> None:
    tokens = [make_token(cast.org_id, f"{number:012d}") for number in range(40)]
    with django_assert_max_num_queries(14):
        open_campaign(
            workspace=cast.workspace,
            title="Many",
            criteria=Criteria(selected=40),
            due_on=NOW.date() + timedelta(days=14),
            tokens=tokens,
            actor=OWNER,
        )
    assert events("campaign_start")[0].arguments["without_owner"] == 40


def test_nothing_to_ask_for_starts_nothing(cast: Cast) -> None:
    with pytest.raises(CampaignError):
        start(cast)
    assert not Campaign.objects.exists()


@pytest.mark.usefixtures("audit_unavailable")
def test_without_an_audit_entry_no_campaign_starts(cast: Cast) -> None:
    with pytest.raises(AuditUnavailableError):
        start(cast, "member")
    for model in (Campaign, Rotation, RotationMail):
        assert not model.objects.exists()


def test_a_token_stays_with_the_campaign_that_asked_first_until_that_is_closed(cast: Cast) -> None:
    first = start(cast, "member")
    second = start(cast, "member", "manager")
    assert set(Rotation.objects.filter(campaign=second).values_list("owner_name", flat=True)) == {"Manager Person"}
    close_campaign(campaign=first, actor=OWNER)
    third = start(cast, "member")
    assert Rotation.objects.get(campaign=third).owner_name == "Member Person"
    assert Rotation.objects.filter(prefix=cast.tokens["member"].prefix).count() == 1


def test_closing_keeps_how_it_stood(cast: Cast) -> None:
    campaign = start(cast, "admin", "manager", "member")
    rotations = {rotation.owner_name: rotation for rotation in Rotation.objects.all()}
    cancel_rotation(rotation=rotations["Manager Person"], actor=OWNER)
    Rotation.objects.filter(pk=rotations["Admin Person"].pk).update(ended_at=NOW, outcome="done")
    closed = close_campaign(campaign=campaign, actor=OWNER)
    Rotation.objects.update(ended_at=NOW, outcome="done", owner_name="")
    closed.refresh_from_db()
    assert {name: closed.summary[name] for name in ("done", "open", "cancelled")} == {
        "done": 1,
        "open": 1,
        "cancelled": 1,
    }
    assert {row["owner"]: row["state"] for row in closed.summary["tokens"]}["Member Person"] == "open"
    (row,) = events("campaign_close")
    assert row.arguments == {"done": 1, "open": 1, "cancelled": 1}
    with pytest.raises(CampaignError):
        close_campaign(campaign=campaign, actor=OWNER)
    with pytest.raises(CampaignError):
        remind_owners(campaign=campaign, actor=OWNER, now=NOW)


def test_people_are_reminded_once_a_day_whatever_number_of_campaigns_asks(cast: Cast) -> None:
    soon = NOW + timedelta(days=7)
    start(cast, "member", due_on=soon.date())
    other = start(cast, "manager", due_on=soon.date())
    start_rotation(
        env="live",
        prefix=make_token(cast.org_id, "aaaaaaaaaaaa").prefix,
        workspace=cast.workspace,
        kind="planned",
        owner=cast.people["member"],
        campaign=other,
        actor=OWNER,
    )
    # On the day they were asked nobody is reminded.
    assert queue_reminders(now=NOW) == 0
    later = NOW + timedelta(days=4)
    assert queue_reminders(now=later) == 2
    assert queue_reminders(now=later) == 0
    assert remind_owners(campaign=other, actor=OWNER, now=later) == 0
    assert remind_owners(campaign=other, actor=OWNER, now=later + timedelta(days=1)) == 2
    assert [row.arguments for row in events("campaign_remind")] == [{"people": 2}]


@pytest.mark.parametrize(
    ("left", "is_day"),
    [
        (14, False),
        (8, False),
        (7, True),
        (5, False),
        (3, True),
        (1, True),
        (0, True),
        (-1, False),
        (-3, True),
        (-6, True),
    ],
)
def test_the_days_of_reminding(left: int, is_day: bool) -> None:
    today = date(2026, 11, 25)
    assert is_reminder_day(today + timedelta(days=left), today) is is_day


def test_who_has_rotated_or_is_not_known_is_not_reminded(cast: Cast) -> None:
    campaign = start(cast, "member", "manager")
    nobodys = make_token(cast.org_id, "aaaaaaaaaaaa")
    start_rotation(
        env="live", prefix=nobodys.prefix, workspace=cast.workspace, kind="planned", campaign=campaign, actor=OWNER
    )
    Rotation.objects.filter(owner=cast.people["member"]).update(ended_at=NOW, outcome="done")
    assert remind_owners(campaign=campaign, actor=OWNER, now=NOW + timedelta(days=1)) == 1
    assert RotationMail.objects.get(kind="reminder").member == cast.people["manager"]
    assert ObservedToken.objects.filter(pk=nobodys.pk).exists()
