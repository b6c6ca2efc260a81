"""Middleware that sets `request.viewer`: the signed-in member in the open workspace."""

from collections.abc import Callable
from functools import partial
from typing import cast

from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject

from hoursmith_console.workspaces.viewer import ConsoleRequest, Viewer, find_viewer


class ViewerMiddleware:
    """Set `request.viewer`. Members are read when a view first uses it; without a membership it is false."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        cast(ConsoleRequest, request).viewer = cast(Viewer, SimpleLazyObject(partial(find_viewer, request)))
        return self._get_response(request)
