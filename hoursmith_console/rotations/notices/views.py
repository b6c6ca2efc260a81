"""Lets a person put off what is asked of them until they sign in the next time."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from hoursmith_console.workspaces.viewer import snooze_requests


def snooze(request: HttpRequest) -> HttpResponse:
    """Show the asks no more until the next sign-in."""
    snooze_requests(request)
    return HttpResponseRedirect(reverse("console:index"))
