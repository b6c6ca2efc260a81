"""Snooze rotation requests on the overview."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from hoursmith_console.core.attention import snooze_attention


def snooze(request: HttpRequest) -> HttpResponse:
    """Hide rotation requests until the next sign-in."""
    snooze_attention(request)
    return HttpResponseRedirect(reverse("console:index"))
