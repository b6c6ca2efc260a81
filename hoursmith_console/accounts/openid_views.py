"""The two addresses of sign-in with OpenID Connect, and the page that asks for it once more."""

from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from requests import RequestException

from hoursmith_console.accounts.openid import PROVIDER, CheckedIdentity


@never_cache
@require_POST
def openid_login(request: HttpRequest) -> HttpResponse:
    """Send the browser to the provider; with `again` it asks for the password anew."""
    _configured()
    # Of the address nothing goes to the provider.
    request.GET = QueryDict("auth_params=prompt%3Dlogin" if "again" in request.POST else "")
    try:
        identity = CheckedIdentity(request, PROVIDER)
        # allauth would look at it only on the way back.
        identity.openid_config  # noqa: B018
        answer: HttpResponse = OAuth2LoginView.adapter_view(identity)(request)
    except (OAuth2Error, RequestException, KeyError, ValueError):
        return render(request, "account/openid_failed.html", status=503)
    if answer.status_code != 302:
        return answer
    # A page that leads on instead of a redirect: browsers hold a redirect after a form to the page's form-action.
    page = render(
        request, "account/openid_leaving.html", {"address": answer["Location"], "name": settings.OIDC["name"]}
    )
    page["Refresh"] = f"0; url={answer['Location']}"
    return page


@never_cache
@require_safe
def openid_callback(request: HttpRequest, provider_id: str = PROVIDER) -> HttpResponse:
    """Where the provider sends the browser back to."""
    _configured()
    answer: HttpResponse = OAuth2CallbackView.adapter_view(CheckedIdentity(request, PROVIDER))(request)
    return answer


@never_cache
@login_required
@require_safe
def openid_again(request: HttpRequest) -> HttpResponse:
    """Ask somebody who signs in with OpenID Connect alone to do so once more before a sensitive action."""
    _configured()
    next_url = get_next_redirect_url(request) or "/"
    return render(request, "account/openid_again.html", {"next": next_url, "name": settings.OIDC["name"]})


def _configured() -> None:
    if not settings.OIDC:
        raise Http404("OpenID Connect is not set up.")
