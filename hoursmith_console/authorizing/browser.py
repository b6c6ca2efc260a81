"""Bind the authorization pages to the browser that opened the first one, by a cookie.

What a page sends on is signed or sealed with the cookie's value (`mcpbridge.grants.carrying`), so that no other site
can send a person's browser a form with another request or another token in it. The cookie lives for minutes, identifies
no person, and is shared by the tabs of a browser.
"""

import re
import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from mcpbridge.grants import config
from mcpbridge.grants.carrying import ExpiredPageError

_VALUE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def browser_id(request: HttpRequest) -> str:
    """Return the id of this browser from its cookie. Raises ExpiredPageError if it has none."""
    value = _known(request)
    if not value:
        raise ExpiredPageError
    return value


def browser_id_or_new(request: HttpRequest) -> str:
    """Return the id of this browser, or a new one if it has none."""
    return _known(request) or secrets.token_urlsafe(32)


def has_browser_id(request: HttpRequest) -> bool:
    """Return whether this browser has opened an authorization page within the last minutes."""
    return bool(_known(request))


def keep_browser_id(response: HttpResponse, value: str) -> None:
    """Set the cookie, from now on for as long as a page can be sent."""
    response.set_cookie(
        settings.AUTHORIZING_COOKIE_NAME,
        value,
        max_age=int(config.PENDING_LIFETIME.total_seconds()),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _known(request: HttpRequest) -> str:
    value = request.COOKIES.get(settings.AUTHORIZING_COOKIE_NAME, "")
    return value if _VALUE.fullmatch(value) else ""
