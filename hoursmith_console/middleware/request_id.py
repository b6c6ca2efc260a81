"""Give each page request an id, for its response header, log lines and error page."""

import sys
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template import loader

from hoursmith_console.middleware.unavailable import unavailable_page
from mcpbridge.core.ids import new_id
from mcpbridge.observability.logs import request_id

HEADER = "X-Request-Id"


class RequestIdMiddleware:
    """Set the request id. Ignores ids sent by clients, who could reuse another's. Must be the first middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        made = new_id().hex
        before = request_id.set(made)
        try:
            response = self._get_response(request)
        finally:
            request_id.reset(before)
        response[HEADER] = made
        return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Return the page of an unexpected error (`handler500`): the request id, and no details."""
    if unavailable := unavailable_page(request, sys.exc_info()[1]):
        return unavailable
    # Without context processors, which may query the database that failed.
    page = loader.get_template("500.html").render({"fault_id": request_id.get()})
    return HttpResponse(page, status=500)
