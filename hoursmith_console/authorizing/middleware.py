"""Middleware that lets the sign-in on the way to the authorization pages keep its opener.

An assistant that opened a window for its user loses it for good on any page with `Cross-Origin-Opener-Policy:
same-origin`, and takes the sign-in for cancelled.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from hoursmith_console.authorizing.browser import has_browser_id

_SIGN_IN = "/accounts/"


class OpenerMiddleware:
    """Keep the opener on pages of signing in, in a browser that has just been asked to authorize an assistant."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if request.path.startswith(_SIGN_IN) and has_browser_id(request):
            response.setdefault("Cross-Origin-Opener-Policy", "unsafe-none")
        return response
