"""Times as pages write them: local to the reader, with UTC as title."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from hoursmith_console.core.times.rendering import ago, day, exact, moment, when
from hoursmith_console.core.times.zones import find_zone

AT = datetime(2026, 11, 30, 2, 12, 7, 123456, tzinfo=UTC)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A reader in Berlin, half an hour after `AT`."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: AT + timedelta(minutes=30))
    with timezone.override(find_zone("Europe/Berlin")):
        yield


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("write", "text"),
    [
        (when, "Mon 30 Nov 03:12"),
        (exact, "Mon 30 Nov 2026, 03:12:07 CET"),
        (moment, "Mon 30 Nov 2026 at 03:12:07 CET"),
    ],
)
def test_a_time_is_local_with_utc_as_title(write: Callable[[datetime], str], text: str) -> None:
    assert write(AT) == (
        '<time datetime="2026-11-30T02:12:07.123+00:00" title="Mon 30 Nov 2026, 02:12:07 UTC" tabindex="-1">'
        f"{text}</time>"
    )


@pytest.mark.usefixtures("berlin")
def test_a_relative_time_says_both_exact_ones() -> None:
    written = ago(AT)
    assert "<span>30 min ago</span>" in written
    assert 'title="Mon 30 Nov 2026, 03:12:07 CET · Mon 30 Nov 2026, 02:12:07 UTC"' in written
    assert '<span class="visually-hidden"> (Mon 30 Nov 2026, 03:12:07 CET)</span>' in written


@pytest.mark.usefixtures("berlin")
def test_the_year_is_the_readers() -> None:
    # In Berlin, 2026 begins an hour earlier.
    assert ">Thu 1 Jan 00:30<" in when(datetime(2025, 12, 31, 23, 30, tzinfo=UTC))
    assert ">31 Dec 2025 23:30<" in when(datetime(2025, 12, 31, 22, 30, tzinfo=UTC))


@pytest.mark.usefixtures("berlin")
def test_both_hours_when_clocks_go_back_are_told_apart() -> None:
    first, second = (exact(datetime(2026, 10, 25, hour, 30, tzinfo=UTC)) for hour in (0, 1))
    assert ">Sun 25 Oct 2026, 02:30:00 CEST<" in first
    assert ">Sun 25 Oct 2026, 02:30:00 CET<" in second
    assert first[:60] != second[:60]


def test_a_zone_without_letters_is_named_by_its_offset() -> None:
    with timezone.override(find_zone("America/Sao_Paulo")):
        assert ">Sun 29 Nov 2026, 23:12:07 UTC-03<" in exact(AT)


def test_what_never_was_and_what_has_no_zone() -> None:
    assert (when(None), ago(None), exact(None), day(None)) == ("–", "never", "–", "–")
    assert exact(AT.replace(tzinfo=None)) == exact(AT)
    with timezone.override(find_zone("Asia/Tokyo")):
        assert ">1 Dec 2026<" in day(datetime(2026, 11, 30, 15, tzinfo=UTC))
    assert day(date(2026, 12, 3)) == '<time datetime="2026-12-03">3 Dec 2026</time>'
