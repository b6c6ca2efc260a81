"""The reader's time zone: the member's choice, else what their browser says in a cookie, else UTC.

`middleware.time_zone` activates it for each request, so `timezone.get_current_timezone()` is the reader's.
"""

from datetime import tzinfo
from functools import cache
from typing import cast
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest
from django.utils import timezone

from hoursmith_console.core.viewer import ViewerRequest

# Set by static/console/zone.js.
COOKIE = "time-zone"
UTC = "UTC"
# Systems, and old names of countries: not offered, though a browser may send them.
_NOT_OFFERED = ("Etc/", "SystemV/", "US/", "Canada/", "Mexico/", "Brazil/", "Chile/", "posix/", "right/")


def find_zone(name: str) -> ZoneInfo | None:
    """Return the zone called `name`; None if there is none."""
    return ZoneInfo(name) if name in _known() else None


def zone_names() -> list[str]:
    """Return the names that a member can choose from: UTC, then areas with cities."""
    return [UTC, *sorted(name for name in _known() if "/" in name and not name.startswith(_NOT_OFFERED))]


def browser_zone(request: HttpRequest) -> str:
    """Return the zone that the browser says; empty if it says none that is known."""
    name = request.COOKIES.get(COOKIE, "")
    return name if name in _known() else ""


def reader_zone(request: HttpRequest) -> tzinfo:
    """Return the zone in which this reader sees times."""
    viewer = cast(ViewerRequest, request).viewer
    chosen = viewer.member.time_zone if viewer else ""
    return find_zone(chosen) or find_zone(browser_zone(request)) or ZoneInfo(UTC)


def current_zone_name() -> str:
    """Return the name of the active zone, such as Europe/Berlin."""
    return str(timezone.get_current_timezone())


@cache
def _known() -> frozenset[str]:
    return frozenset(name for name in available_timezones() if "/" in name) | {UTC}
