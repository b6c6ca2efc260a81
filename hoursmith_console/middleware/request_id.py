"""Gives each page request an id, which its answer, its log lines and the page of an unexpected fault carry."""

import sys
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template import loader

from hoursmith_console.middleware.unavailable import unavailable_page
from mcpbridge.core.ids import new_id
from mcpbridge.observability.logs import request_id

HEADER = "X-Request-Id"


class RequestIdMiddleware:
    """The outermost middleware. Ids that a client sends are not taken over: anybody could send anybody's."""

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
    """The page of an unexpected fault: what to tell whoever runs the console, and nothing of the fault."""
    if unavailable := unavailable_page(request, sys.exc_info()[1]):
        return unavailable
    # Without the request's context, which may ask the very database that failed.
    page = loader.get_template("500.html").render({"fault_id": request_id.get()})
    return HttpResponse(page, status=500)
