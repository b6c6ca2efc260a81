"""Render the only response that contains a full token."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def shown_once(request: HttpRequest, template: str, context: Mapping[str, Any]) -> HttpResponse:
    """Render the page with a new token (no-store, no-referrer); `context` holds `minted`.

    The template includes `tokens/_shown_once.html` and marks every other element with the token as `data-secret`,
    so that leaving the page clears it. It must not contain forms: without a referrer, browsers send them without an
    origin, and those are rejected.
    """
    answer = render(request, template, {**context, "is_shown_once": True})
    answer["Cache-Control"] = "no-store, private, max-age=0"
    answer["Referrer-Policy"] = "no-referrer"
    return answer
