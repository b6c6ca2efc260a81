"""Snooze rotation requests on the overview."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from hoursmith_console.core.alerts import snooze_alerts


def snooze(request: HttpRequest) -> HttpResponse:
    """Hide rotation requests until the next sign-in."""
    snooze_alerts(request)
    return HttpResponseRedirect(reverse("console:index"))
