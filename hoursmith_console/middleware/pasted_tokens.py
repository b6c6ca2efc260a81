"""Keep tokens that somebody pastes in the wrong place out of the pages: one gate in front of every view.

Whatever a request of a browser says is looked at once, before any view or other middleware sees it. Where the address
holds a token, the browser is sent to the same address without it, so that it stays out of the history, the `Referer`
and the links of the page. Headers and form fields are masked. A field that was masked is refused by its form
(`hoursmith_console.core.forms`), with a word on what to paste instead, and the page shows what the mask left. A
password is emptied instead: what a mask leaves is public.

Two fields are meant for a token (`TAKES_TOKEN`): both show it to Hoursmith once and drop it. The embedded sandbox
stands for Hoursmith itself, which is sent tokens.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

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

# The views, by their names, and the field of each.
TAKES_TOKEN: Final = {"console:tokens:claim": "token", "console:rotations:new_token": "token"}
_NOT_OURS = "/sandbox/api/"
_SAFE = frozenset({"GET", "HEAD"})


class PastedTokens:
    """The middleware."""

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
        """Mask what the form says, now that it is known whose form it is."""
        if request.method in _SAFE or request.path.startswith(_NOT_OURS):
            return
        match = request.resolver_match
        try:
            cleaned = mask_form(request.POST, meant=TAKES_TOKEN.get(match.view_name) if match else None)
        except UnreadablePostError:
            # The view meets it again.
            return
        if cleaned is not None:
            request.POST = cleaned  # type: ignore[assignment]


def mask_query(query: str) -> str:
    """Return the query of an address with every token in it masked; the same where there is none."""
    if not is_suspect(query):
        return query
    pairs = parse_qsl(query, keep_blank_values=True)
    kept = [(redact_pasted(name), redact_pasted(value)) for name, value in pairs]
    # A mask finds nothing: the prefix alone finds the token.
    return query if kept == pairs else urlencode([(name, value.replace(f"_{MASK}", "")) for name, value in kept])


def _clean_headers(request: HttpRequest) -> None:
    headers = {name: value for name, value in request.META.items() if name.startswith(("HTTP_", "CONTENT_TYPE"))}
    if is_suspect("\n\n".join(headers.values())):
        for name, value in headers.items():
            request.META[name] = redact_pasted(value)
