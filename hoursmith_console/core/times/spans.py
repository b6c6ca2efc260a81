"""Spans of time that are meant in the reader's zone: a day, a minute, a night. Each begins with its first instant."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

NIGHT_BEGINS, NIGHT_ENDS = time(18), time(8)


class Span(NamedTuple):
    """A span in UTC; `until` is the first instant after it."""

    since: datetime
    until: datetime


def last_night(now: datetime, zone: tzinfo) -> Span:
    """Return the night that ends today at 08:00: 14 hours, or 13 or 15 when clocks change."""
    return _night(now.astimezone(zone).date(), zone)


def night_of(instant: datetime, zone: tzinfo) -> Span | None:
    """Return the night that `instant` belongs to; None if it was during the day."""
    local = instant.astimezone(zone)
    if NIGHT_ENDS <= local.time() < NIGHT_BEGINS:
        return None
    return _night(local.date() + timedelta(days=local.time() >= NIGHT_BEGINS), zone)


def day_of(instant: datetime, zone: tzinfo) -> Span:
    """Return the local day of `instant`: 24 hours, or 23 or 25 when clocks change."""
    return _day(instant.astimezone(zone).date(), zone)


def parse_span(text: str, zone: tzinfo) -> Span | None:
    """Return the day or minute that `text` names, in `zone` unless it has an offset; None if it names neither.

    A minute that the clocks show twice is both of them. A plus sign may have become a space in an address (`+02:00`).
    """
    text = text.strip()
    try:
        if "T" not in text:
            return _day(date.fromisoformat(text), zone)
        named = datetime.fromisoformat(text.replace(" ", "+")).replace(second=0, microsecond=0)
        if named.tzinfo:
            first = last = named.astimezone(UTC)
        else:
            first, last = _instants(named, zone)
        return Span(first, last + timedelta(minutes=1))
    except (ValueError, OverflowError):
        return None


def _night(morning: date, zone: tzinfo) -> Span:
    begin = datetime.combine(morning - timedelta(days=1), NIGHT_BEGINS)
    return Span(_instants(begin, zone)[0], _instants(datetime.combine(morning, NIGHT_ENDS), zone)[0])


def _day(day: date, zone: tzinfo) -> Span:
    begin = datetime.combine(day, time())
    return Span(_instants(begin, zone)[0], _instants(begin + timedelta(days=1), zone)[0])


def _instants(local: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the first and the last instant at which clocks in `zone` show `local`; usually they are the same."""
    found = [local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return min(found), max(found)
