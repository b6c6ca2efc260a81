"""Device cookies: failed attempts by a stranger do not lock out browsers that the account has signed in with.

A stranger needs only an email address to exhaust an account's sign-in attempts. A browser with the cookie of an earlier
sign-in therefore has its own rate limit (OWASP device cookies). The cookie does not sign anyone in.
"""

import secrets

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, HttpResponseBase

from hoursmith_console.accounts.addresses import normalize_email

_MAX_AGE_S = 90 * 86_400
_SALT = "hoursmith_console.accounts.known_browsers"
_NOTED = "_known_browser_of"


def note_sign_in(request: HttpRequest, user: User) -> None:
    """Note on `request` that `user` has signed in; `set_browser_cookie` then sets the cookie on the response."""
    setattr(request, _NOTED, user.pk)


def set_browser_cookie(request: HttpRequest, response: HttpResponseBase) -> None:
    """Set the device cookie if the request signed a user in."""
    account = getattr(request, _NOTED, None)
    if account is None:
        return
    known = _read(request)
    number = known[1] if known and known[0] == account else secrets.token_urlsafe(12)
    response.set_cookie(
        settings.KNOWN_BROWSER_COOKIE_NAME,
        signing.dumps([account, number], salt=_SALT),
        max_age=_MAX_AGE_S,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def rate_limit_key(request: HttpRequest, email: str) -> str | None:
    """Return the rate limit key of this browser for the account with `email`; None for an unknown browser."""
    known = _read(request)
    if known is None or not EmailAddress.objects.filter(email=normalize_email(email), user_id=known[0]).exists():
        return None
    return f"known browser {known[0]} {known[1]}"


def _read(request: HttpRequest) -> tuple[int, str] | None:
    cookie = request.COOKIES.get(settings.KNOWN_BROWSER_COOKIE_NAME, "")
    try:
        account, number = signing.loads(cookie, salt=_SALT, max_age=_MAX_AGE_S)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return int(account), str(number)
