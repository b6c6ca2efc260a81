"""Nights, days and minutes in the reader's zone, on ordinary days and on the Sundays when clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hoursmith_console.core.times.spans import day_of, last_night, night_of, parse_span

BERLIN, KOLKATA, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York")


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "zone", "since", "until"),
    [
        # In the morning, in the middle of the night, and in the evening of the same day it is the same night.
        ("2026-11-30T09:00", BERLIN, "2026-11-29T17:00", "2026-11-30T07:00"),
        ("2026-11-30T02:00", BERLIN, "2026-11-29T17:00", "2026-11-30T07:00"),
        ("2026-11-30T22:30", BERLIN, "2026-11-29T17:00", "2026-11-30T07:00"),
        # It is tomorrow already in Berlin.
        ("2026-11-30T23:30", BERLIN, "2026-11-30T17:00", "2026-12-01T07:00"),
        ("2026-11-30T09:00", KOLKATA, "2026-11-29T12:30", "2026-11-30T02:30"),
        # Clocks go forward: 13 hours. They go back: 15.
        ("2026-03-29T10:00", BERLIN, "2026-03-28T17:00", "2026-03-29T06:00"),
        ("2026-10-25T10:00", BERLIN, "2026-10-24T16:00", "2026-10-25T07:00"),
        ("2026-03-08T15:00", NEW_YORK, "2026-03-07T23:00", "2026-03-08T12:00"),
        ("2026-11-01T15:00", NEW_YORK, "2026-10-31T22:00", "2026-11-01T13:00"),
    ],
)
def test_last_night_is_from_six_in_the_evening_to_eight_in_the_morning(
    now: str, zone: ZoneInfo, since: str, until: str
) -> None:
    assert last_night(_utc(now), zone) == (_utc(since), _utc(until))


def test_a_call_belongs_to_the_night_around_it_or_to_none() -> None:
    night = (_utc("2026-11-29T17:00"), _utc("2026-11-30T07:00"))
    for inside in ("2026-11-29T17:00", "2026-11-29T23:30", "2026-11-30T06:59"):
        assert night_of(_utc(inside), BERLIN) == night
    for outside in ("2026-11-29T16:59", "2026-11-30T07:00", "2026-11-30T12:00"):
        assert night_of(_utc(outside), BERLIN) is None


@pytest.mark.parametrize(
    ("instant", "hours"), [("2026-11-30T12:00", 24), ("2026-03-29T12:00", 23), ("2026-10-25T12:00", 25)]
)
def test_a_day_has_the_hours_that_its_clocks_show(instant: str, hours: int) -> None:
    since, until = day_of(_utc(instant), BERLIN)
    assert until - since == timedelta(hours=hours)
    assert since.astimezone(BERLIN).hour == 0


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026-11-30T03:12", "2026-11-30T02:12", "2026-11-30T02:13"),
        ("2026-07-30T03:12", "2026-07-30T01:12", "2026-07-30T01:13"),
        ("2026-11-30", "2026-11-29T23:00", "2026-11-30T23:00"),
        # Shown twice: both are meant. Never shown: the hour around it, so that nothing is left out.
        ("2026-10-25T02:30", "2026-10-25T00:30", "2026-10-25T01:31"),
        ("2026-03-29T02:30", "2026-03-29T00:30", "2026-03-29T01:31"),
        # An offset says which is meant.
        ("2026-10-25T02:30+02:00", "2026-10-25T00:30", "2026-10-25T00:31"),
        ("2026-10-25T02:30 01:00", "2026-10-25T01:30", "2026-10-25T01:31"),
    ],
)
def test_what_is_typed_is_meant_in_the_readers_zone(text: str, since: str, until: str) -> None:
    assert parse_span(text, BERLIN) == (_utc(since), _utc(until))


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-11-30T25:00", "9999-12-31", "0001-01-01T00:00", "T"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_span(text, BERLIN) is None
