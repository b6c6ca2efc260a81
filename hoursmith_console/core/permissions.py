"""What the pages for asking share: the frame around them, and who may open which."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.decorators import reauthentication_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse

from hoursmith_console.core.site import site
from hoursmith_console.rotations.models import Rotation
from hoursmith_console.workspaces.viewer import ConsoleRequest

View = Callable[..., HttpResponseBase]


def page(request: ConsoleRequest, template: str, *, title: str, status: int = 200, **context: Any) -> HttpResponse:
    """`template` in the console's frame."""
    return TemplateResponse(request, template, {**site.each_context(request), "title": title, **context}, status=status)


def for_members(view: View) -> View:
    """`view` for everybody of a workspace."""
    return site.admin_view(view)


def for_reviewers(view: View) -> View:
    """`view` for Owner, Admin and auditors; other members are told that it is not for them, strangers to sign in."""

    @wraps(view)
    def inner(request: ConsoleRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.viewer.member.sees_workspace:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return site.admin_view(inner)


def for_deciders(view: View) -> View:
    """`view` for who decides for the workspace; an auditor is told that it is not for them."""

    @wraps(view)
    def inner(request: ConsoleRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.viewer.member.administers:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return site.admin_view(inner)


def after_asking_again(view: View) -> View:
    """`view` once the person has shown lately that it is still them."""
    guarded: View = reauthentication_required(view)
    return guarded


def rotation_address(rotation: Rotation) -> str:
    """Where the rotation's own page is."""
    return reverse("console:rotations:detail", args=[rotation.pk])
