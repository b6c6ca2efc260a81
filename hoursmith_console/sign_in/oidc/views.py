"""The addresses of sign-in with OpenID Connect, and the page of the identities that an account signs in with."""

from typing import Any, cast
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.account.utils import get_next_redirect_url
from allauth.mfa.models import Authenticator
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from requests import RequestException

from hoursmith_console.accounts.oidc_identities import unlink_identity
from hoursmith_console.sign_in.oidc.arrivals import LINKING, WANTS_ACCOUNT
from hoursmith_console.sign_in.oidc.provider import PROVIDER, OidcProviderAdapter, get_nonce
from hoursmith_console.workspaces.account_events import record_account_event


@never_cache
@require_POST
def oidc_login(request: HttpRequest) -> HttpResponse:
    """Send the browser to the provider; with `again` it asks for the password anew."""
    _configured()
    # Linking begins on its own page, after re-authentication.
    request.session.pop(LINKING, None)
    request.session[WANTS_ACCOUNT] = "new" in request.POST
    return _leave(request, AuthProcess.LOGIN, asks_anew="again" in request.POST)


def _leave(request: HttpRequest, process: AuthProcess, *, asks_anew: bool) -> HttpResponse:
    wanted = {"nonce": get_nonce(request), **({"prompt": "login"} if asks_anew else {})}
    # Of the address nothing goes to the provider.
    request.GET = QueryDict(urlencode({"auth_params": urlencode(wanted), "process": process}))
    try:
        identity = OidcProviderAdapter(request, PROVIDER)
        # allauth would look at it only on the way back.
        identity.openid_config  # noqa: B018
        answer: HttpResponse = OAuth2LoginView.adapter_view(identity)(request)
    except (OAuth2Error, RequestException, KeyError, ValueError):
        return render(request, "account/oidc_failed.html", status=503)
    if answer.status_code != 302:
        return answer
    # A page that leads on instead of a redirect: browsers hold a redirect after a form to the page's form-action.
    page = render(request, "account/oidc_leaving.html", {"address": answer["Location"], "name": settings.OIDC["name"]})
    page["Refresh"] = f"0; url={answer['Location']}"
    return page


@never_cache
@require_safe
def oidc_callback(request: HttpRequest, provider_id: str = PROVIDER) -> HttpResponse:
    """Where the provider sends the browser back to."""
    _configured()
    answer: HttpResponse = OAuth2CallbackView.adapter_view(OidcProviderAdapter(request, PROVIDER))(request)
    return answer


@never_cache
@login_required
@require_safe
def oidc_reauthenticate(request: HttpRequest) -> HttpResponse:
    """Ask somebody who signs in with OpenID Connect alone to do so once more before a sensitive action."""
    _configured()
    next_url = get_next_redirect_url(request) or "/"
    return render(request, "account/oidc_reauthenticate.html", {"next": next_url, "name": settings.OIDC["name"]})


@method_decorator([never_cache, login_required, reauthentication_required], name="dispatch")
class OidcIdentitiesView(View):
    """The identities that the account signs in with; a POST links another one or unlinks one."""

    def get(self, request: HttpRequest) -> HttpResponse:
        _configured()
        user = cast(User, request.user)
        identities = [
            {"row": row, "is_current": row.issuer == settings.OIDC["issuer"]} for row in user.oidc_identities.all()
        ]
        found = {"identities": identities, "name": settings.OIDC["name"], "has_other_way": _has_other_way(user)}
        return render(request, "account/oidc_identities.html", found)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Leave for the provider to link what it answers, or unlink an identity, on record."""
        _configured()
        key = request.POST.get("unlink", "")
        if not key:
            request.session[LINKING] = request.user.pk
            return _leave(request, AuthProcess.CONNECT, asks_anew=True)
        user = cast(User, request.user)
        is_last = user.oidc_identities.count() <= 1
        if is_last and not _has_other_way(user):
            messages.error(request, "This is your only way to sign in. Set a password or add a passkey first.")
            return HttpResponseRedirect(request.path)
        self._unlink(request, user, int(key) if key.isdecimal() and len(key) < 19 else 0)
        return HttpResponseRedirect(request.path)

    def _unlink(self, request: HttpRequest, user: User, key: int) -> None:
        with transaction.atomic():
            found = unlink_identity(user=user, key=key)
            if found is None:
                raise Http404("The account has no such sign-in.")
            details: dict[str, Any] = {"issuer": found.issuer, "subject": found.subject}
            address = get_adapter().get_client_ip(request)
            record_account_event(user=user, action="console.openid_unlink", address=address, details=details)
        messages.success(request, "Unlinked. It no longer signs in to your account.")


def _has_other_way(user: User) -> bool:
    """Return whether the user can sign in without OpenID Connect."""
    passkeys = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)
    return user.has_usable_password() or any(passkey.wrap().is_passwordless for passkey in passkeys)


def _configured() -> None:
    if not settings.OIDC:
        raise Http404("OpenID Connect is not set up.")
