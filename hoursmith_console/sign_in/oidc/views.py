"""OpenID Connect sign-in, and the page of identities linked to an account."""

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
    """Send the browser to the provider; with `again` it asks for the password again."""
    _require_oidc()
    # Linking starts on its own page, after re-authentication.
    request.session.pop(LINKING, None)
    request.session[WANTS_ACCOUNT] = "new" in request.POST
    return _leave(request, AuthProcess.LOGIN, asks_again="again" in request.POST)


def _leave(request: HttpRequest, process: AuthProcess, *, asks_again: bool) -> HttpResponse:
    wanted = {"nonce": get_nonce(request), **({"prompt": "login"} if asks_again else {})}
    # No part of the URL is sent to the provider.
    request.GET = QueryDict(urlencode({"auth_params": urlencode(wanted), "process": process}))
    try:
        identity = OidcProviderAdapter(request, PROVIDER)
        # allauth would load the metadata only in the callback.
        identity.openid_config  # noqa: B018
        answer: HttpResponse = OAuth2LoginView.adapter_view(identity)(request)
    except (OAuth2Error, RequestException, KeyError, ValueError):
        return render(request, "account/oidc_failed.html", status=503)
    if answer.status_code != 302:
        return answer
    # A page instead of a redirect: browsers apply the page's form-action to redirects after a form.
    page = render(request, "account/oidc_leaving.html", {"address": answer["Location"], "name": settings.OIDC["name"]})
    page["Refresh"] = f"0; url={answer['Location']}"
    return page


@never_cache
@require_safe
def oidc_callback(request: HttpRequest, provider_id: str = PROVIDER) -> HttpResponse:
    """Handle the provider's redirect back."""
    _require_oidc()
    answer: HttpResponse = OAuth2CallbackView.adapter_view(OidcProviderAdapter(request, PROVIDER))(request)
    return answer


@never_cache
@login_required
@require_safe
def oidc_reauthenticate(request: HttpRequest) -> HttpResponse:
    """Ask a user who signs in only with OpenID Connect to do so again before a sensitive action."""
    _require_oidc()
    next_url = get_next_redirect_url(request) or "/"
    return render(request, "account/oidc_reauthenticate.html", {"next": next_url, "name": settings.OIDC["name"]})


@method_decorator([never_cache, login_required, reauthentication_required], name="dispatch")
class OidcIdentitiesView(View):
    """List the linked identities of the account; a POST links or unlinks one."""

    def get(self, request: HttpRequest) -> HttpResponse:
        _require_oidc()
        user = cast(User, request.user)
        identities = [
            {"row": row, "is_current": row.issuer == settings.OIDC["issuer"]} for row in user.oidc_identities.all()
        ]
        found = {"identities": identities, "name": settings.OIDC["name"], "has_other_method": _has_other_method(user)}
        return render(request, "account/oidc_identities.html", found)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Start linking an identity at the provider, or unlink one and record it."""
        _require_oidc()
        key = request.POST.get("unlink", "")
        if not key:
            request.session[LINKING] = request.user.pk
            return _leave(request, AuthProcess.CONNECT, asks_again=True)
        user = cast(User, request.user)
        is_last = user.oidc_identities.count() <= 1
        if is_last and not _has_other_method(user):
            messages.error(request, "You can’t unlink your only sign-in method. Set a password or add a passkey first.")
            return HttpResponseRedirect(request.path)
        self._unlink(request, user, int(key) if key.isdecimal() and len(key) < 19 else 0)
        return HttpResponseRedirect(request.path)

    def _unlink(self, request: HttpRequest, user: User, key: int) -> None:
        with transaction.atomic():
            found = unlink_identity(user=user, key=key)
            if found is None:
                raise Http404("No such identity.")
            details: dict[str, Any] = {"issuer": found.issuer, "subject": found.subject}
            address = get_adapter().get_client_ip(request)
            record_account_event(user=user, action="console.openid_unlink", address=address, details=details)
        messages.success(request, "Sign-in method unlinked.")


def _has_other_method(user: User) -> bool:
    """Return whether the user can sign in without OpenID Connect."""
    passkeys = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)
    return user.has_usable_password() or any(passkey.wrap().is_passwordless for passkey in passkeys)


def _require_oidc() -> None:
    if not settings.OIDC:
        raise Http404("OpenID Connect is not configured.")
