"""The frame of every OAuth endpoint: JSON answers, CORS, limits, and answers while the database is unavailable."""

import hashlib
import ipaddress
import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.core.cache import cache
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from hoursmith_console.oauth.disabled import reject_oauth
from mcpbridge.audit.errors import AuditUnavailableError
from mcpbridge.grants import config

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 16 * 1024
_MINUTE_S = 60
_RETRY_AFTER_S = "5"
# For programs that run in web pages. No cookie is read at these addresses, so any page may ask.
_CORS = {"Access-Control-Allow-Origin": "*"}
_PREFLIGHT = {
    **_CORS,
    "Access-Control-Allow-Headers": "authorization, content-type, mcp-protocol-version",
    "Access-Control-Max-Age": "600",
}

View = Callable[..., HttpResponse]


class OAuthError(Exception):
    """An error answer: `code` as the specification of the endpoint names it, and one sentence that quotes nothing."""

    def __init__(self, code: str, text: str, *, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.status = status
        self.headers = dict(headers or {})


def json_answer(
    content: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Build an answer that no cache keeps (RFC 6749 section 5.1) and any web page may read."""
    answer = JsonResponse(dict(content), status=status, json_dumps_params={"ensure_ascii": False})
    for name, value in {"Cache-Control": "no-store", "Pragma": "no-cache", **_CORS, **(headers or {})}.items():
        answer[name] = value
    return answer


def endpoint(method: str, *, a_minute: int = 0) -> Callable[[View], View]:
    """Turn a view that raises OAuthError into an endpoint for `method`, with a limit per address if `a_minute` is set.

    While OAuth is off, it says so.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def answer(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
            if not config.is_enabled():
                return reject_oauth(request)
            if request.method == "OPTIONS":
                return HttpResponse(status=204, headers={**_PREFLIGHT, "Access-Control-Allow-Methods": method})
            try:
                _check(request, method, a_minute)
                return view(request, *arguments, **named)
            except OAuthError as error:
                said = {"error": error.code, "error_description": str(error)}
                return json_answer(said, status=error.status, headers=error.headers)
            except (AuditUnavailableError, DatabaseError, InterfaceError) as error:
                logger.error("%s cannot be answered now: %s", request.path, type(error).__name__)
                return _unavailable()

        return answer

    return decorate


def body_of(request: HttpRequest, media_type: str) -> bytes:
    """Return the body, which must be of `media_type` and small. Raises OAuthError."""
    if request.content_type != media_type:
        raise OAuthError("invalid_request", f"Send the body as {media_type}.")
    try:
        body = request.body
    except UnreadablePostError:
        raise OAuthError("invalid_request", "The body is incomplete.") from None
    if len(body) > MAX_BODY_BYTES:
        raise OAuthError("invalid_request", f"The body is larger than {MAX_BODY_BYTES} bytes.", status=413)
    return body


def _check(request: HttpRequest, method: str, a_minute: int) -> None:
    if request.method != method and not (method == "GET" and request.method == "HEAD"):
        raise OAuthError("invalid_request", f"Send a {method}.", status=405, headers={"Allow": f"{method}, OPTIONS"})
    # The counts are in the database. While it is unavailable, each endpoint with a limit is: clients try again, and
    # waiting a second time, for the endpoint's own query, would outlast their patience.
    if a_minute and _count(request) > a_minute:
        wait = {"Retry-After": str(_MINUTE_S)}
        raise OAuthError("temporarily_unavailable", "Too many requests. Wait a minute.", status=429, headers=wait)


def _count(request: HttpRequest) -> int:
    """Count the request; return how many came from its address to this path within a minute."""
    name = hashlib.sha256(f"{request.path} {_network(request.META.get('REMOTE_ADDR', ''))}".encode()).hexdigest()
    key = f"oauth-{name}"
    try:
        cache.add(key, 0, _MINUTE_S)
        return cache.incr(key)
    except ValueError:
        # It expired in between.
        return 1


def _network(address: str) -> str:
    """Return the address, or the /64 of an IPv6 address, all of which one client may have."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 32 if found.version == 4 else 64), strict=False))


def _unavailable() -> HttpResponse:
    # No error of OAuth: a client that got invalid_grant now would drop its refresh token.
    said = {
        "error": "temporarily_unavailable",
        "error_description": "The console's database is unavailable. Try again.",
    }
    return json_answer(said, status=503, headers={"Retry-After": _RETRY_AFTER_S})
