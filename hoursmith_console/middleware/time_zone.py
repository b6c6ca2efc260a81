"""Activate the reader's time zone for each page request."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from hoursmith_console.core.times.zones import reader_zone


class TimeZoneMiddleware:
    """Activate the zone of `reader_zone`. Must come after ViewerMiddleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Without a session nothing is read, and the response does not vary by cookie.
        if request.session.session_key is None:
            return self._get_response(request)
        with timezone.override(reader_zone(request)):
            return self._get_response(request)
