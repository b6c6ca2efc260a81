"""The cookie that binds the authorization pages to the browser that opened the first one.

What a page sends on is signed or sealed with the cookie's value (`mcpbridge.grants.carrying`), so that no other site
can send a person's browser a form with another request or another token in it. The cookie lives for minutes, identifies
no person, and is shared by the tabs of a browser.
"""

import re
import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse

_LIFETIME_S = 600
_VALUE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def cookie_name() -> str:
    """Return the name of the cookie; over https, one that no other host and no subdomain can set."""
    return "__Host-authorizing" if settings.SESSION_COOKIE_SECURE else "authorizing"


def browser_id(request: HttpRequest) -> str:
    """Return the id of this browser from its cookie; empty if it opened no authorization page in the last minutes."""
    value = request.COOKIES.get(cookie_name(), "")
    return value if _VALUE.fullmatch(value) else ""


def new_browser_id() -> str:
    """Return an id for a browser without one."""
    return secrets.token_urlsafe(32)


def keep_browser_id(response: HttpResponse, value: str) -> None:
    """Set the cookie, from now on for as long as a page can be sent."""
    response.set_cookie(
        cookie_name(),
        value,
        max_age=_LIFETIME_S,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
