"""How pages write times: local, with the UTC time as title, which a tap or focus shows as well.

Pages write no time in any other way; `tests/hoursmith_console/core/times/test_every_time.py` looks for others.
"""

from datetime import UTC, date, datetime

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def when(instant: datetime | None) -> SafeString | str:
    """Write `instant` for a column of a list: "Mon 30 Nov 03:12"; of another year "30 Nov 2025 03:12"."""
    if instant is None:
        return "–"
    local = timezone.localtime(instant)
    text = f"{local:%a %-d %b %H:%M}" if local.year == timezone.localtime().year else f"{local:%-d %b %Y %H:%M}"
    return _time(instant, text)


def ago(instant: datetime | None) -> SafeString | str:
    """Write `instant` for running text: "2 min ago". A title and text for screen readers give the exact time."""
    if instant is None:
        return "never"
    both = f"{_exact(instant)} · {_utc(instant)}" if _exact(instant) != _utc(instant) else _utc(instant)
    return mark_safe(  # noqa: S308 - an instant's digits and our own words
        f'<time class="ago" datetime="{_machine(instant)}" title="{both}" tabindex="-1">'
        f"<span>{relative(instant, timezone.now())}</span>"
        f'<span class="visually-hidden"> ({_exact(instant)})</span></time>'
    )


def exact(instant: datetime | None) -> SafeString | str:
    """Write `instant` in full: "Mon 30 Nov 2026, 03:12:07 CET"; one without an offset is UTC."""
    if instant is None:
        return "–"
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return _time(aware, _exact(aware))


def exact_now() -> SafeString | str:
    """Write the present instant in full."""
    return exact(timezone.now())


def moment(instant: datetime) -> SafeString:
    """Write `instant` for a sentence: "Mon 30 Nov 2026 at 03:12:07 CET"."""
    return _time(instant, _exact(instant).replace(", ", " at "))


def day(value: date | None) -> SafeString | str:
    """Write a date, which has no zone, or the local day of an instant: "3 Dec 2026"."""
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return _time(value, f"{timezone.localtime(value):%-d %b %Y}")
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), f"{value:%-d %b %Y}")


def relative(instant: datetime, now: datetime) -> str:
    """Return how long ago `instant` was in words; the local date if it was more than 30 days ago."""
    seconds = (now - instant).total_seconds()
    if seconds < 1:
        return "just now"
    if seconds < _MINUTE:
        return f"{int(seconds)} s ago"
    if seconds < 45 * _MINUTE:
        return f"{max(1, round(seconds / _MINUTE))} min ago"
    if seconds < _DAY - _HOUR / 2:
        return f"{max(1, round(seconds / _HOUR))} h ago"
    days = max(1, round(seconds / _DAY))
    if days <= 30:
        return "1 day ago" if days == 1 else f"{days} days ago"
    return f"{timezone.localtime(instant):%-d %b %Y}"


def _time(instant: datetime, text: str) -> SafeString:
    return mark_safe(  # noqa: S308 - an instant's digits and our own words
        f'<time datetime="{_machine(instant)}" title="{_utc(instant)}" tabindex="-1">{text}</time>'
    )


def _exact(instant: datetime) -> str:
    local = timezone.localtime(instant)
    name = local.tzname() or ""
    # Zones without letters are named by their offset, "-03".
    zone = f"UTC{name}" if name[:1] in "+-" else name
    return f"{local:%a %-d %b %Y, %H:%M:%S} {zone}"


def _utc(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%a %-d %b %Y, %H:%M:%S} UTC"


def _machine(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds")
