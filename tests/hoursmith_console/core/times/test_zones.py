"""Whose zone pages are in: the member's choice, else the browser's, else UTC; and what a reader filters by in it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from hoursmith_console.core.times.zones import COOKIE, zone_names
from hoursmith_console.workspaces.account_events import record_sign_in
from hoursmith_console.workspaces.models import Member
from tests.hoursmith_console.conftest import Cast, account_of
from tests.hoursmith_console.records import make_call

Browse = Callable[[str], Client]
AT = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)


@pytest.fixture
def call(cast: Cast) -> None:
    make_call(cast.tokens["owner"], at=AT)


def _shown(client: Client, query: str = "") -> tuple[str, str]:
    """The time of the only call, and the zone that the page names."""
    page = client.get(f"/activity/{query}").content.decode()
    times = re.findall(r'class="when"><time [^>]*>([^<]*)<', page)
    assert page.count("Times in ") == 1
    named = re.findall(r'Times in <a [^>]*href="/accounts/time-zone/">([^<]*)</a>', page)
    return "".join(times), *named


@pytest.mark.usefixtures("call")
@pytest.mark.parametrize(
    ("chosen", "browser", "time", "zone"),
    [
        ("", "", "23:30", "UTC"),
        ("", "Europe/Berlin", "00:30", "Europe/Berlin"),
        ("America/New_York", "Europe/Berlin", "18:30", "America/New_York"),
        ("UTC", "Europe/Berlin", "23:30", "UTC"),
        # A name that is no zone is as good as none.
        ("", "Mars/Olympus", "23:30", "UTC"),
        ("", "../../etc/passwd", "23:30", "UTC"),
        ("", "x" * 4000, "23:30", "UTC"),
        ("Long/Gone", "Europe/Berlin", "00:30", "Europe/Berlin"),
    ],
)
def test_times_are_in_the_members_zone_or_the_browsers(
    cast: Cast, browse: Browse, chosen: str, browser: str, time: str, zone: str
) -> None:
    Member.objects.filter(pk=cast.people["owner"].pk).update(time_zone=chosen)
    visitor = browse("owner")
    visitor.cookies[COOKIE] = browser
    shown, named = _shown(visitor)
    assert shown.endswith(time)
    assert named == zone


def test_a_zone_is_chosen_on_the_account_page_and_taken_back(cast: Cast, browse: Browse) -> None:
    visitor, address = browse("manager"), "/accounts/time-zone/"
    visitor.cookies[COOKIE] = "Asia/Tokyo"
    assert "The browser’s time zone (Asia/Tokyo)" in visitor.get(address).content.decode()
    for name, shown in (("Asia/Kolkata", "Asia/Kolkata"), ("", "Asia/Tokyo")):
        visitor.post(address, {"time_zone": name})
        assert Member.objects.get(pk=cast.people["manager"].pk).time_zone == name
        assert f"Times are in {shown}." in visitor.get(address).content.decode()
    assert visitor.post(address, {"time_zone": "Mars/Olympus"}).status_code == 400
    assert Member.objects.exclude(time_zone="").count() == 0
    assert Client().get(address).status_code == 302


def test_zones_are_offered_by_city() -> None:
    names = zone_names()
    assert names[0] == "UTC"
    assert {"Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Kolkata"} <= set(names)
    assert not {"Etc/GMT+5", "localtime", "EST", "US/Pacific"} & set(names)


@pytest.mark.usefixtures("call")
@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("?since=2026-03-02&until=2026-03-02&tz=Europe/Berlin", True),
        ("?since=2026-03-02&tz=UTC", False),
        ("?since=2026-03-02", False),
        ("?since=2026-03-02T00:30&until=2026-03-02T00:30&tz=Europe/Berlin", True),
        ("?since=2026-03-02T00:31&tz=Europe/Berlin", False),
        ("?since=2026-03-01T23:30&until=2026-03-01T23:30&tz=Nowhere", True),
    ],
)
def test_from_and_to_are_meant_in_the_zone_of_the_address(browse: Browse, query: str, is_found: bool) -> None:
    # So that a link shows every reader the same rows, whichever zone they are in.
    visitor = browse("owner")
    visitor.cookies[COOKIE] = "Asia/Tokyo"
    assert bool(_shown(visitor, query)[0]) is is_found


@pytest.mark.usefixtures("call")
def test_the_controls_name_the_zone_and_hold_what_was_asked(browse: Browse) -> None:
    visitor = browse("owner")
    visitor.cookies[COOKIE] = "Asia/Tokyo"
    page = visitor.get("/activity/?since=2026-03-02T00:30&tz=Europe/Berlin").content.decode()
    assert "From (Asia/Tokyo)" in page
    assert 'name="since" value="2026-03-02T08:30"' in page
    assert 'name="tz" value="Asia/Tokyo"' in page
    # Links that keep the filter keep its zone; a zone alone filters nothing.
    assert "since=2026-03-02T00%3A30&amp;tz=Europe%2FBerlin&amp;live=1" in page
    assert "Clear" not in visitor.get("/activity/?tz=Asia/Tokyo").content.decode()


def _ranges(page: str) -> dict[str, str]:
    nav = re.search(r'aria-label="Time range">(.*?)</nav>', page, re.DOTALL)
    assert nav is not None
    return {label: title for title, label in re.findall(r'title="([^"]*)"[^>]*>([^<]*)</a>', nav[1])}


def test_quick_ranges_find_their_rows_and_say_what_they_mean(
    cast: Cast, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    token = cast.tokens["owner"]
    for label, at in {
        "evening": "2026-11-29T17:00",
        "night": "2026-11-30T02:12",
        "morning": "2026-11-30T07:00",
        "before": "2026-11-29T16:59",
        "old": "2026-11-20T12:00",
    }.items():
        make_call(token, at=datetime.fromisoformat(at).replace(tzinfo=UTC), target_label=f"label-{label}")
    Member.objects.filter(pk=cast.people["owner"].pk).update(previous_sign_in_at=now - timedelta(hours=4))
    visitor = browse("owner")
    visitor.cookies[COOKIE] = "Europe/Berlin"
    found = {
        name: set(re.findall(r"label-(\w+)", visitor.get(f"/activity/?range={name}").content.decode()))
        for name in ("night", "visit", "24h", "7d")
    }
    assert found == {
        "night": {"evening", "night"},
        "visit": {"morning"},
        "24h": {"evening", "night", "morning", "before"},
        "7d": {"evening", "night", "morning", "before"},
    }
    assert _ranges(visitor.get("/activity/").content.decode()) == {
        "Last night": "Sun 29 Nov 18:00 to Mon 30 Nov 08:00, Europe/Berlin",
        "Since my last visit": "Since you signed in before this time: Mon 30 Nov 06:00",
        "24 hours": "Since Sun 29 Nov 10:00",
        "7 days": "Since Mon 23 Nov 10:00",
    }


def test_a_first_visit_offers_no_last_one(browse: Browse) -> None:
    assert "Since my last visit" not in browse("owner").get("/activity/").content.decode()


def test_the_last_visit_began_with_the_sign_in_before_this_one(cast: Cast, monkeypatch: Any) -> None:
    user, seen = account_of(cast.people["owner"]), []
    for day in (1, 2, 3):
        now = datetime(2026, 11, day, 8, tzinfo=UTC)
        monkeypatch.setattr("django.utils.timezone.now", lambda now=now: now)
        record_sign_in(user=user, method="password", address="203.0.113.9")
        seen.append(Member.objects.get(user=user).previous_sign_in_at)
    assert seen == [None, *(datetime(2026, 11, day, 8, tzinfo=UTC) for day in (1, 2))]
    assert not Member.objects.exclude(user=user).exclude(signed_in_at=None).exists()


def test_a_zone_ends_with_its_request(cast: Cast, browse: Browse) -> None:
    Member.objects.filter(pk=cast.people["owner"].pk).update(time_zone="Asia/Tokyo")
    browse("owner").get("/activity/")
    assert timezone.get_current_timezone_name() == "UTC"
