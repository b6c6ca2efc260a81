"""Lets a person put off what is asked of them until they sign in the next time."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from hoursmith_console.workspaces.viewer import put_off_asks


def later(request: HttpRequest) -> HttpResponse:
    """Show the asks no more until the next sign-in."""
    put_off_asks(request)
    return HttpResponseRedirect(reverse("console:index"))
