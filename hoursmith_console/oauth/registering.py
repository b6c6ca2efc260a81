"""Register assistants (RFC 7591). Nothing is stored: see `mcpbridge.grants.registration`."""

from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from hoursmith_console.oauth.responses import OAuthError, body_of, endpoint, json_answer
from mcpbridge.grants.registration import Method, NoRedirectError, client_secret, register
from mcpbridge.grants.resources import OFFLINE, READ, WRITE

_SCOPES = (READ, WRITE, OFFLINE)
_METHODS = {"none": Method.NONE, "client_secret_basic": Method.SECRET, "client_secret_post": Method.SECRET}
_DEFAULT_METHOD = "client_secret_basic"


@endpoint("POST", a_minute=30)
def register_client(request: HttpRequest) -> HttpResponse:
    """Answer 201 with a client_id for the acceptable redirect_uris; the others are left out."""
    asked = _metadata(body_of(request, "application/json"))
    method = asked.get("token_endpoint_auth_method", _DEFAULT_METHOD)
    if not isinstance(method, str) or method not in _METHODS:
        raise OAuthError("invalid_client_metadata", f"token_endpoint_auth_method must be one of {', '.join(_METHODS)}.")
    redirects = asked.get("redirect_uris")
    if not isinstance(redirects, list) or not all(isinstance(each, str) for each in redirects):
        raise OAuthError("invalid_redirect_uri", "redirect_uris must be a list of addresses.")
    name = asked.get("client_name")
    now = timezone.now().timestamp()
    try:
        made, accepted = register(
            name=name if isinstance(name, str) else "", redirects=redirects, method=_METHODS[method], now=now
        )
    except NoRedirectError as error:
        raise OAuthError("invalid_redirect_uri", str(error)) from None
    secret = {"client_secret": client_secret(made.client_id), "client_secret_expires_at": 0} if made.method else {}
    return json_answer(
        {
            "client_id": made.client_id,
            "client_id_issued_at": made.registered_at,
            **secret,
            "client_name": made.name,
            "redirect_uris": accepted,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": method,
            "scope": _scope(asked.get("scope")),
        },
        status=201,
    )


def _metadata(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise OAuthError("invalid_client_metadata", "The body must be a JSON object.")
    return found


def _scope(asked: Any) -> str:
    """Return the known scopes among those asked for, or all: some clients read here what to ask for."""
    known = [each for each in _SCOPES if isinstance(asked, str) and each in asked.split()]
    return " ".join(known or _SCOPES)
