"""Remembers in a browser that an account signed in there, so that a stranger's failed attempts do not lock it out.

A stranger needs only an e-mail address to use up the attempts on an account. So a browser that the account signed in
with before has attempts of its own (the device cookies of OWASP). The cookie opens nothing.
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
    """Note that `user` has signed in with the browser of `request`; `set_browser_cookie` puts it into the answer."""
    setattr(request, _NOTED, user.pk)


def set_browser_cookie(request: HttpRequest, response: HttpResponseBase) -> None:
    """Set the cookie where somebody has just signed in."""
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
    """Return what the attempts of this browser on the account with `email` are counted under; None for strangers."""
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
