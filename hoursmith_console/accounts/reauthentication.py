"""Re-authentication before sensitive actions. A form that was sent without it is discarded.

Views require it with allauth's `reauthentication_required`, `AccountAdapter` decides whether the sign-in is recent
enough, and this middleware responds if it is not.
"""

import time
from urllib.parse import urlencode, urlsplit

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.deprecation import MiddlewareMixin
from django.utils.http import url_has_allowed_host_and_scheme

NOTHING_KEPT = "Your sign-in was too long ago, so the form was not submitted. Please fill it in again."
_SAFE = ("GET", "HEAD", "OPTIONS")


class Reauthentication(MiddlewareMixin):
    """Handle `ReauthenticationRequired` instead of allauth, which would write the whole form into the session.

    Must come after allauth's middleware, since Django asks the innermost one first.
    """

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Redirect to re-authentication, and from there to the empty form."""
        if not isinstance(exception, ReauthenticationRequired):
            return None
        url = reauthentication_url(request)
        if url is None:
            return render(request, "account/reauthentication_impossible.html", status=403)
        target = request.get_full_path()
        if request.method not in _SAFE:
            target = _form_url(request)
            if request.user.is_authenticated:
                messages.warning(request, NOTHING_KEPT)
        address = f"{url}?{urlencode({'next': target})}"
        if request.headers.get("HX-Request"):
            return HttpResponse(headers={"HX-Redirect": address})
        return HttpResponseRedirect(address)


def has_recent_auth(request: HttpRequest) -> bool:
    """Return whether the user signed in or re-authenticated within ACCOUNT_REAUTHENTICATION_TIMEOUT seconds."""
    steps = get_authentication_records(request, request.user)
    return bool(steps) and time.time() - steps[-1]["at"] < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT


def record_sign_in_method(request: HttpRequest, user: User, *, method: str) -> None:
    """Note that `user` has just signed in by `method`, a method that allauth does not know."""
    record_authentication(request, user, method)


def reauthentication_url(request: HttpRequest) -> str | None:
    """Return the URL where this user re-authenticates; None if the account has no method for it."""
    if not request.user.is_authenticated:
        return reverse("account_login")
    methods = get_adapter().get_reauthentication_methods(request.user)
    if methods:
        return str(methods[0]["url"])
    return reverse("oidc_reauthenticate") if settings.OIDC else None


def _form_url(request: HttpRequest) -> str:
    """Return the URL of the page that showed the form, as the browser reports it, or else the form's own."""
    shown = request.headers.get("HX-Current-URL") or request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(shown, {request.get_host()}, require_https=request.is_secure()):
        return request.get_full_path()
    parts = urlsplit(shown)
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
