"""When alerts are due: in zones whose clocks change, over midnight, and never in quiet hours."""

from datetime import UTC, datetime, time, timedelta

import pytest

from hoursmith_console.alerts.models import AlertRule
from hoursmith_console.alerts.schedule import due_at, hour_text, is_due, is_quiet, local_text


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("opened", "hour", "zone", "due"),
    [
        ("2026-11-30T06:59", 8, "UTC", "2026-11-30T08:00"),
        ("2026-11-30T08:00", 8, "UTC", "2026-12-01T08:00"),
        ("2026-11-30T06:59", 8, "Europe/Berlin", "2026-11-30T07:00"),
        ("2026-11-30T07:00", 8, "Europe/Berlin", "2026-12-01T07:00"),
        ("2026-11-30T17:59", 0, "Asia/Kathmandu", "2026-11-30T18:15"),
        # Clocks go forward: there is no 2 am on that day, so it is sent at 3.
        ("2026-03-28T23:30", 2, "Europe/Berlin", "2026-03-29T01:00"),
        # Clocks go back: 2 am comes twice, and the first one counts.
        ("2026-10-24T23:30", 2, "Europe/Berlin", "2026-10-25T00:00"),
        ("2026-10-25T00:30", 2, "Europe/Berlin", "2026-10-26T01:00"),
        ("2026-11-30T06:59", 8, "No/Such", "2026-11-30T08:00"),
    ],
)
def test_a_daily_alert_is_due_at_the_local_hour(opened: str, hour: int, zone: str, due: str) -> None:
    rule = AlertRule(timing="daily", digest_hour=hour, zone=zone)
    assert due_at(rule, at(opened)) == at(due)


def test_an_hourly_alert_is_due_at_the_next_full_hour() -> None:
    assert due_at(AlertRule(timing="hourly"), at("2026-11-30T23:59")) == at("2026-12-01T00:00")


def test_alerts_at_once_are_a_minute_apart() -> None:
    rule = AlertRule(timing="at_once")
    assert due_at(rule, at("2026-11-30T10:00")) == at("2026-11-30T10:00")
    rule.last_alert_at = at("2026-11-30T09:59") + timedelta(seconds=30)
    assert due_at(rule, at("2026-11-30T10:00")) == at("2026-11-30T10:00") + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("begin", "end", "quiet", "loud"),
    [
        ("22:00", "07:00", ["21:00", "05:59"], ["20:59", "06:00", "12:00"]),
        ("12:00", "13:00", ["11:00", "11:59"], ["10:59", "12:00"]),
        ("12:00", "12:00", [], ["11:00", "23:00"]),
    ],
)
def test_quiet_hours_are_local_and_may_span_midnight(begin: str, end: str, quiet: list[str], loud: list[str]) -> None:
    rule = AlertRule(zone="Europe/Berlin", quiet_from=time.fromisoformat(begin), quiet_until=time.fromisoformat(end))
    assert [text for text in quiet + loud if is_quiet(rule, at(f"2026-11-30T{text}"))] == quiet


def test_a_digest_that_falls_into_quiet_hours_comes_after_them() -> None:
    rule = AlertRule(timing="daily", digest_hour=3, quiet_from=time(22), quiet_until=time(7))
    opened = at("2026-11-29T20:00")
    assert not is_due(rule, opened, at("2026-11-30T03:00"))
    assert not is_due(rule, opened, at("2026-11-30T06:59"))
    assert is_due(rule, opened, at("2026-11-30T07:00"))


def test_times_are_written_in_utc_and_in_the_zone() -> None:
    assert local_text(at("2026-11-30T23:12"), "UTC") == "Mon 30 Nov 2026, 23:12 UTC"
    assert local_text(at("2026-11-30T23:12"), "Europe/Berlin") == (
        "Mon 30 Nov 2026, 23:12 UTC (Tue 1 Dec 00:12 Europe/Berlin)"
    )


def test_hours_have_names() -> None:
    assert [hour_text(hour) for hour in (0, 1, 11, 12, 13, 23)] == [
        "midnight",
        "1 am",
        "11 am",
        "noon",
        "1 pm",
        "11 pm",
    ]
