"""Mask tokens that users paste into the wrong place, before any view or other middleware sees them.

A URL with a token is redirected to the same URL without it, which keeps the token out of the history, the `Referer` and
links. Headers and form fields are masked. A form refuses a masked field (`hoursmith_console.core.forms`) and says what
to paste instead; the page shows the masked value. A password field is emptied, since a mask leaves the public prefix.

Some fields take a token (`TAKES_TOKEN`): it is sent to Hoursmith once and dropped, or sealed for an assistant. The
embedded sandbox stands for Hoursmith itself, so its API is left out.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_plus, urlencode

from django.http import (
    HttpRequest,
    HttpResponseBase,
    HttpResponseNotFound,
    HttpResponseRedirect,
    UnreadablePostError,
)
from django.template import loader

from hoursmith_console.core.pasted_tokens import mask_form
from mcpbridge.redaction.masking import MASK, redact_pasted
from mcpbridge.redaction.patterns import is_suspect

# View name to the field that takes a token.
TAKES_TOKEN: Final = {
    "console:tokens:claim": "token",
    "console:rotations:new_token": "token",
    "console:restore:new": "token",
    "authorize": "token",
    # The same token, sealed, on the next page.
    "authorize_decision": "pending",
}
# Forms of programs, which read the body themselves and store none of it.
_FORMS_OF_PROGRAMS: Final = frozenset({"oauth_register", "oauth_token", "oauth_revoke"})
_NOT_OURS = "/sandbox/api/"
_WATCHED = "/audit/log/"
_SAFE = frozenset({"GET", "HEAD"})


class PastedTokens:
    """Mask tokens in the URL, headers and form of each request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(_NOT_OURS):
            return self._get_response(request)
        if redact_pasted(request.path) != request.path:
            return HttpResponseNotFound(loader.get_template("404.html").render())
        query = request.META.get("QUERY_STRING", "")
        if (kept := mask_query(query)) != query:
            if request.method in _SAFE:
                return HttpResponseRedirect(f"{request.path}?{kept}")
            request.META["QUERY_STRING"] = kept
        _clean_headers(request)
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]
    ) -> None:
        """Mask the form, now that its view is known."""
        if request.method in _SAFE or request.path.startswith(_NOT_OURS):
            return
        match = request.resolver_match
        if match and match.view_name in _FORMS_OF_PROGRAMS:
            return
        try:
            cleaned = mask_form(request.POST, meant=TAKES_TOKEN.get(match.view_name) if match else None)
        except UnreadablePostError:
            # The view raises it again.
            return
        if cleaned is not None:
            request.POST = cleaned  # type: ignore[assignment]


def mask_query(query: str) -> str:
    """Return the query string with tokens masked; unchanged if there are none."""
    # Decoded first: what wraps a token may itself be percent-encoded.
    if not is_suspect(unquote_plus(query)):
        return query
    pairs = parse_qsl(query, keep_blank_values=True)
    kept = [(redact_pasted(name), redact_pasted(value)) for name, value in pairs]
    # Search by the prefix alone, since a masked value finds nothing.
    return query if kept == pairs else urlencode([(name, value.replace(f"_{MASK}", "")) for name, value in kept])


def _clean_headers(request: HttpRequest) -> None:
    headers = {name: value for name, value in request.META.items() if name.startswith(("HTTP_", "CONTENT_TYPE"))}
    if is_suspect("\n\n".join(headers.values())):
        for name, value in headers.items():
            # A watch key is a bearer credential of our own; elsewhere any such credential is masked.
            is_watch_key = name == "HTTP_AUTHORIZATION" and request.path.startswith(_WATCHED)
            scheme, space, credential = value.partition(" ") if is_watch_key else ("", "", value)
            request.META[name] = f"{scheme}{space}{redact_pasted(credential)}"
