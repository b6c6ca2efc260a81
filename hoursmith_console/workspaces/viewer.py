"""The signed-in member of a request, in the workspace that is open.

Which rows the member sees is up to the querysets: `visible_to(viewer)` of a model, and `tokens.querysets` for the
bridge's models. Owner, Admin and Auditor see their workspace; an Auditor changes nothing in it (`core.site` refuses).
Manager and Member see what their own tokens did. Any other row does not exist for them: pages answer 404.
"""

from functools import cached_property
from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django.http import HttpRequest

from hoursmith_console.core.viewer import ViewerRequest
from hoursmith_console.workspaces.models import Member, Workspace

WORKSPACE_KEY = "workspace"


class Viewer:
    """A signed-in member looking at one workspace."""

    def __init__(self, member: Member, memberships: list[Member]) -> None:
        self.member = member
        self.memberships = memberships
        # What querysets have read about the member, for the time of one request.
        self.cache: dict[str, Any] = {}

    @property
    def org_id(self) -> str:
        """Hoursmith's id of the workspace that is looked at."""
        return self.member.workspace.org_id

    @cached_property
    def two_factor_demand(self) -> str:
        """The name of the workspace where it demands two-factor authentication of this member, who has none."""
        workspace = self.member.workspace
        if not self.member.sees_workspace or not workspace.requires_two_factor or is_mfa_enabled(self.member.user):
            return ""
        return workspace.name

    @property
    def other_workspaces(self) -> list[Workspace]:
        """The workspaces of the same account, without the open one."""
        return [each.workspace for each in self.memberships if each.pk != self.member.pk]


class ConsoleRequest(ViewerRequest):
    """A request behind the site's access check; `middleware.viewer` sets `viewer`."""

    viewer: Viewer


def find_viewer(request: HttpRequest) -> Viewer | None:
    """Return the signed-in member in the workspace that the session names, else in the first; None without any."""
    if not request.user.is_authenticated:
        return None
    memberships = list(
        Member.objects.with_access()
        .filter(user_id=request.user.pk)
        .select_related("workspace")
        .order_by("workspace__name", "workspace_id")
    )
    if not memberships:
        return None
    chosen = request.session.get(WORKSPACE_KEY)
    member = next((member for member in memberships if member.workspace_id == chosen), memberships[0])
    member.user = request.user
    return Viewer(member, memberships)
