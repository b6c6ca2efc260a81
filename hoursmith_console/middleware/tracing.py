"""Record a span for each page request, if traces are exported."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponseBase

from mcpbridge.observability.logs import request_id
from mcpbridge.observability.telemetry import spans

# The sandbox stands for an external service, which would not be traced here.
_SANDBOX = "/sandbox/"


class PageSpansMiddleware:
    """Record a span for each page request. Must come after the static files middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.TRACES:
            raise MiddlewareNotUsed
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(_SANDBOX):
            return self._get_response(request)
        with spans.page_request(request.method or "", request.headers.get(spans.PARENT, ""), request_id.get()) as span:
            response = self._get_response(request)
            # The URL pattern, never the URL: it may contain a search or a one-time link.
            found = request.resolver_match
            span.answered(response.status_code, route=f"/{found.route}" if found and found.route else "")
            return response
