"""Exchange codes and refresh tokens, and revoke them (RFC 6749, RFC 7009)."""

from asgiref.sync import async_to_sync
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse

from hoursmith_console.oauth.client_authentication import authenticated_client, form_of
from hoursmith_console.oauth.responses import OAuthError, endpoint, json_answer
from mcpbridge.core.credential import Credential
from mcpbridge.grants.tokens.exchange import Issued, TokenError, TokenState, redeem_code, refresh, revoke
from mcpbridge.tools import RestRequest
from mcpbridge.upstream import UpstreamError
from mcpbridge.upstream.config import upstream_from_settings

_ME = RestRequest("GET", "/me", route="/me")
# Hosted assistants send the requests of all their users from few addresses.
_A_MINUTE = 600


@endpoint("POST", a_minute=_A_MINUTE)
def token(request: HttpRequest) -> HttpResponse:
    """Issue an access and a refresh token for a code or a refresh token."""
    form = form_of(request)
    grant_type = _needed(form, "grant_type")
    if grant_type not in ("authorization_code", "refresh_token"):
        raise OAuthError("unsupported_grant_type", "grant_type must be authorization_code or refresh_token.")
    client_id = authenticated_client(request, form)
    try:
        issued = _redeemed(client_id, form) if grant_type == "authorization_code" else _refreshed(client_id, form)
    except TokenError as error:
        raise OAuthError(error.code, str(error)) from None
    return json_answer(
        {
            "access_token": issued.access.reveal(),
            "token_type": "Bearer",
            "expires_in": issued.expires_in,
            "refresh_token": issued.refresh.reveal(),
            "scope": issued.scope,
        }
    )


@endpoint("POST", a_minute=_A_MINUTE)
def revoke_token(request: HttpRequest) -> HttpResponse:
    """End the grant of an access or refresh token of the client; 200 for any other text too."""
    form = form_of(request)
    client_id = authenticated_client(request, form)
    revoke(client_id=client_id, token=_needed(form, "token"))
    return json_answer({})


def _redeemed(client_id: str, form: dict[str, str]) -> Issued:
    return redeem_code(
        client_id=client_id,
        code=_needed(form, "code"),
        verifier=_needed(form, "code_verifier"),
        redirect=form.get("redirect_uri"),
        resource=form.get("resource"),
    )


def _refreshed(client_id: str, form: dict[str, str]) -> Issued:
    return refresh(
        client_id=client_id,
        token=_needed(form, "refresh_token"),
        scope=form.get("scope"),
        resource=form.get("resource"),
        state_of=async_to_sync(_state_of),
    )


async def _state_of(credential: Credential) -> TokenState:
    """Ask Hoursmith whether it still accepts the token."""
    upstream = upstream_from_settings(ASGIHandler())
    try:
        reply = await upstream.send(_ME, credential)
    except UpstreamError:
        return TokenState.UNKNOWN
    finally:
        await upstream.aclose()
    if reply.status == 401:
        return TokenState.REJECTED
    return TokenState.ACCEPTED if reply.is_success else TokenState.UNKNOWN


def _needed(form: dict[str, str], name: str) -> str:
    if name not in form:
        raise OAuthError("invalid_request", f"The {name} is missing.")
    return form[name]
