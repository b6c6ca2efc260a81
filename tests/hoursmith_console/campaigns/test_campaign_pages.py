"""Campaign pages: who sees them, the preview, the progress and its buttons."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from hoursmith_console.campaigns.models import Campaign
from hoursmith_console.rotations.models import Rotation, RotationMail
from hoursmith_console.rotations.services import cancel_rotation
from hoursmith_console.workspaces.models import Member
from mcpbridge.models import TokenTool
from tests.hoursmith_console.campaigns.test_campaigns import NOW, events, start
from tests.hoursmith_console.conftest import Cast
from tests.hoursmith_console.records import make_client, make_token

Browse = Callable[[str], Client]
LIST = "/rotations/campaigns/"
NEW, ONE = f"{LIST}new/", f"{LIST}request/"
ASK = {"title": "Quarterly", "due_on": f"{(timezone.now() + timedelta(days=20)).date():%Y-%m-%d}"}


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().replace("&#x27;", "'").split())


@pytest.fixture
def campaign(cast: Cast) -> Campaign:
    return start(cast, "member", "manager", reason="New rules")


@pytest.mark.parametrize(
    ("person", "status"), [("owner", 200), ("admin", 200), ("manager", 403), ("member", 403), ("anonymous", 302)]
)
def test_who_reviews_the_workspace_has_the_pages(browse: Browse, campaign: Campaign, person: str, status: int) -> None:
    board = f"{LIST}{campaign.pk}/"
    for address in (LIST, NEW, board):
        assert browse(person).get(address).status_code == status, address
    if status != 200:
        for act in ("remind", "close"):
            assert browse(person).post(f"{board}{act}/").status_code == status
        assert browse(person).post(NEW, ASK).status_code == status
    assert Campaign.objects.get().closed_at is None


def test_to_another_workspace_a_campaign_does_not_exist(browse: Browse, campaign: Campaign) -> None:
    outsider = browse("outsider")
    assert "Rotate all" not in text(outsider.get(LIST))
    assert outsider.get(f"{LIST}{campaign.pk}/").status_code == 404
    for act in ("remind", "close"):
        assert outsider.post(f"{LIST}{campaign.pk}/{act}/").status_code == 404


def test_an_auditor_reads_and_changes_nothing(cast: Cast, browse: Browse, campaign: Campaign) -> None:
    Member.objects.filter(pk=cast.people["manager"].pk).update(is_auditor=True)
    auditor = browse("manager")
    page = text(auditor.get(f"{LIST}{campaign.pk}/"))
    assert "Member Person" in page
    assert "Close campaign" not in page
    assert auditor.get(NEW).status_code == 403
    assert auditor.post(f"{LIST}{campaign.pk}/close/").status_code == 403


def test_a_token_s_page_leads_to_a_small_form_for_it_alone(cast: Cast, browse: Browse) -> None:
    token = cast.tokens["manager"]
    admin, page = browse("admin"), f"/tokens/{token.pk}/"
    address = f"{ONE}?token=live_{token.prefix}"
    assert f'href="{address}">Request rotation' in text(admin.get(page))
    assert "Manager Person" in text(admin.get(address))
    answer = admin.post(address, {"kind": "planned", "due_on": ASK["due_on"]})
    rotation = Rotation.objects.get()
    assert (rotation.prefix, rotation.kind) == (token.prefix, "planned")
    assert answer["Location"] == f"{LIST}{rotation.campaign_id}/"
    assert "Requested already" in text(admin.get(address))
    # Who is asked does not ask themselves, and nobody is asked twice.
    for name in ("manager", "admin"):
        assert "Request rotation" not in text(browse(name).get(page))


@pytest.mark.parametrize(("person", "status"), [("manager", 403), ("member", 403), ("outsider", 404), ("owner", 200)])
def test_who_requests_something_of_the_owner(cast: Cast, browse: Browse, person: str, status: int) -> None:
    address = f"{ONE}?token=live_{cast.tokens['member'].prefix}"
    assert browse(person).get(address).status_code == status
    assert browse(person).post(address, {}).status_code == (400 if status == 200 else status)
    assert not Campaign.objects.exists()


@pytest.mark.parametrize(
    ("kind", "asked"),
    [("planned", "Rotate your token"), ("leaked", "Rotate your token"), ("revocation", "Revoke your token")],
)
def test_the_owner_gets_what_was_requested_as_a_task(cast: Cast, browse: Browse, kind: str, asked: str) -> None:
    address = f"{ONE}?token=live_{cast.tokens['member'].prefix}"
    browse("owner").post(address, {"kind": kind, "reason": "No longer needed", "due_on": ASK["due_on"]})
    assert Rotation.objects.get().kind == kind
    assert asked in text(browse("member").get("/"))
    assert RotationMail.objects.filter(member=cast.people["member"]).count() == 1
    assert events("rotation_start")[0].note == "No longer needed"


def test_the_preview_says_which_tokens_fit_and_whose_they_are(cast: Cast, browse: Browse) -> None:
    old = {"first_used_at": NOW - timedelta(days=91)}
    nobodys = make_token(cast.org_id, "aaaaaaaaaaaa", name="nobody's laptop", role="ADMIN", **old)
    TokenTool.objects.create(token=nobodys, tool="get_me", calls=20, first_at=NOW, last_at=NOW)
    make_token(cast.other.org_id, "bbbbbbbbbbbb", name="foreign", **old)
    page = text(browse("owner").get(f"{NEW}?older_than_days=90"))
    assert "1 matching token" in page
    assert "nobody's laptop" in page
    assert "MEMBER is enough · read-only use" in page
    assert "1 token has no known owner" in page
    assert "foreign" not in page
    assert "Rotate: older than 90 days" in page


def test_without_criteria_nothing_is_previewed(cast: Cast, browse: Browse) -> None:
    page = text(browse("owner").get(NEW))
    assert "Preview" in page
    assert "Reason" not in page


def test_a_campaign_starts_for_the_selected_tokens(cast: Cast, browse: Browse) -> None:
    make_client(cast.tokens["member"], name="Cursor")
    selected = [cast.tokens["member"].pk, cast.tokens["outsider"].pk]
    answer = browse("owner").post(f"{NEW}?role=", {**ASK, "reason": "It is time", "token": selected}, follow=True)
    campaign = Campaign.objects.get()
    assert answer.redirect_chain == [(f"{LIST}{campaign.pk}/", 302)]
    assert Rotation.objects.get().prefix == cast.tokens["member"].prefix
    page = text(answer)
    assert re.sub(r"<[^>]+>", "", page).count("0 of 1 done, 1 open") == 1
    for words in ("Member Person", "It is time", "all tokens"):
        assert words in page
    assert RotationMail.objects.get().member == cast.people["member"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"due_on": "2020-01-01"}, "in the future"),
        ({"due_on": "soon"}, "valid date"),
        ({"title": ""}, "required"),
        ({"token": []}, "Select at least one token"),
    ],
)
def test_an_invalid_request_is_explained_and_keeps_the_selection(
    cast: Cast, browse: Browse, change: dict[str, Any], fault: str
) -> None:
    given = {**ASK, "token": [cast.tokens["member"].pk], **change}
    answer = browse("owner").post(f"{NEW}?role=", given)
    assert answer.status_code == 400
    assert fault in text(answer)
    assert text(answer).count(" checked ") == (0 if change == {"token": []} else 1)
    assert not Campaign.objects.exists()


def test_tokens_without_a_known_owner_are_listed_apart(cast: Cast, browse: Browse, campaign: Campaign) -> None:
    Rotation.objects.filter(prefix=cast.tokens["member"].prefix).update(owner=None, owner_name="")
    page = text(browse("owner").get(f"{LIST}{campaign.pk}/"))
    assert "Tokens without a known owner" in page
    assert page.index("member's laptop") < page.index("In progress</h2>") < page.index("manager's laptop")


def test_failed_emails_are_listed(cast: Cast, browse: Browse, campaign: Campaign) -> None:
    RotationMail.objects.filter(member=cast.people["member"]).update(last_error="ConnectionRefusedError", attempts=1)
    page = text(browse("owner").get(f"{LIST}{campaign.pk}/"))
    assert "1 email could not be sent" in page
    assert "ConnectionRefusedError" in page


def test_reminding_and_closing_by_a_button(cast: Cast, browse: Browse, campaign: Campaign) -> None:
    owner = browse("owner")
    assert "No reminders sent" in text(owner.post(f"{LIST}{campaign.pk}/remind/", follow=True))
    RotationMail.objects.all().update(queued_at=NOW - timedelta(days=1))
    assert "2 reminders sent" in text(owner.post(f"{LIST}{campaign.pk}/remind/", follow=True))
    page = text(owner.post(f"{LIST}{campaign.pk}/close/", follow=True))
    assert "Final result (closed by Owner Person" in strip_tags(page)
    assert "0 of 2 done, 2 open" in page
    Rotation.objects.all().delete()
    page = text(owner.get(f"{LIST}{campaign.pk}/"))
    assert "member's laptop" in page
    assert "0 of 2 done, 2 open" in page
    assert "This campaign is closed" in text(owner.post(f"{LIST}{campaign.pk}/close/", follow=True))
    assert [len(events(action)) for action in ("campaign_start", "campaign_remind", "campaign_close")] == [1, 1, 1]


def test_a_campaign_and_its_open_rotations_get_another_due_date(cast: Cast, browse: Browse, campaign: Campaign) -> None:
    first, day = Rotation.objects.order_by("pk").first(), (NOW + timedelta(days=40)).date()
    assert first is not None
    cancel_rotation(rotation=first, actor="Ana")
    address, owner = f"{LIST}{campaign.pk}/extend/", browse("owner")
    assert "Choose a date in the future." in text(owner.post(address, {"due_on": "2020-01-31"}, follow=True))
    assert "Due date set to" in text(owner.post(address, {"due_on": day.isoformat()}, follow=True))
    before = campaign.due_on
    campaign.refresh_from_db()
    assert campaign.due_on == day
    assert set(Rotation.objects.filter(ended_at=None).values_list("due_on", flat=True)) == {day}
    first.refresh_from_db()
    assert first.due_on == before
    (entry,) = events("campaign_extend")
    assert entry.arguments["due_on"] == f"{before.isoformat()} → {day.isoformat()}"
    for person, status in (("manager", 403), ("outsider", 404)):
        assert browse(person).post(address, {"due_on": day.isoformat()}).status_code == status


def test_members_still_see_their_requests(browse: Browse, campaign: Campaign) -> None:
    assert "Rotate your token" in text(browse("member").get("/"))
