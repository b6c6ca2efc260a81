"""The one answer in which a token stands whole."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def shown_once(request: HttpRequest, template: str, context: Mapping[str, Any]) -> HttpResponse:
    """The page that shows a minted token, for the answer to the POST that minted it; `context` holds `minted`.

    The template includes `tokens/_shown_once.html`, and marks every other element that holds the token with
    `data-secret`, so that leaving the page empties it. It may hold links but no form: without a referrer a browser
    sends forms without an origin, and those are refused.
    """
    answer = render(request, template, {**context, "is_shown_once": True})
    answer["Cache-Control"] = "no-store, private, max-age=0"
    answer["Referrer-Policy"] = "no-referrer"
    return answer
