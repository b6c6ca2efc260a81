"""What the page framework knows of the signed-in member: `workspaces.viewer` has the whole of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from django.http import HttpRequest


class ConsoleMember(Protocol):
    """A member of a workspace, as far as the framework asks."""

    @property
    def pk(self) -> Any: ...
    @property
    def workspace(self) -> Any: ...
    @property
    def administers(self) -> bool: ...
    @property
    def sees_workspace(self) -> bool: ...
    @property
    def is_auditor(self) -> bool: ...
    @property
    def time_zone(self) -> str: ...
    @property
    def previous_sign_in_at(self) -> datetime | None: ...


class ConsoleViewer(Protocol):
    """The signed-in member of a request, in the workspace that is open."""

    @property
    def member(self) -> ConsoleMember: ...
    @property
    def memberships(self) -> Sequence[ConsoleMember]: ...
    @property
    def org_id(self) -> str: ...
    @property
    def two_factor_demand(self) -> str: ...


class ViewerRequest(HttpRequest):
    """A request behind the site's access check; `middleware.viewer` sets `viewer`."""

    viewer: ConsoleViewer
