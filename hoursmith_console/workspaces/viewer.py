"""Who sees which rows: the one place that decides it for every page, list, count and export.

Owner, Admin and Auditor see their workspace; an Auditor changes nothing in it (`site` refuses). Manager and Member
see what their own tokens did. Everybody else sees nothing, and pages answer 404: a row outside these bounds does not
exist.
"""

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import TypeVar

from allauth.mfa.utils import is_mfa_enabled
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.http import HttpRequest

from hoursmith_console.connections.models import Connection
from hoursmith_console.rotations.models import Rotation, RotationQuerySet
from hoursmith_console.tokens.models import TokenClaim
from hoursmith_console.workspaces.models import Member, Workspace
from mcpbridge.models import ActivityLoss, RejectedCredential, SeenClient, SeenToken

Row = TypeVar("Row", bound=Model)

WORKSPACE_KEY = "workspace"
PUT_OFF_KEY = "asks_put_off_at"


class Viewer:
    """A signed-in member looking at one workspace."""

    def __init__(self, member: Member, memberships: list[Member], *, has_snoozed_requests: bool = False) -> None:
        self.member = member
        self.memberships = memberships
        self.has_snoozed_requests = has_snoozed_requests

    @property
    def org_id(self) -> str:
        """Hoursmith's id of the workspace that is looked at."""
        return self.member.workspace.org_id

    @cached_property
    def two_factor_demand(self) -> str:
        """The name of the workspace where it demands two-factor authentication of this member, who has none."""
        workspace = self.member.workspace
        if not self.member.sees_workspace or not workspace.needs_second_factor or is_mfa_enabled(self.member.user):
            return ""
        return workspace.name

    @property
    def other_workspaces(self) -> list[Workspace]:
        """The workspaces of the same account, without the open one."""
        return [each.workspace for each in self.memberships if each.pk != self.member.pk]

    def rows(self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """Those of `rows` that this member may see; the model has `org_id`, `env` and `prefix`."""
        scoped = rows.filter(org_id=self.org_id)
        return scoped if self.member.sees_workspace else scoped.filter(self._own_tokens)

    def own_parts(self) -> list[Q] | None:
        """What `rows` adds to the workspace, one condition for each token; None where it adds nothing."""
        if self.member.sees_workspace:
            return None
        return [Q(env=env, prefix=prefix) for env, prefix in self._own_keys]

    def tokens(self) -> QuerySet[SeenToken]:
        """The tokens in sight."""
        return self.rows(SeenToken.objects.all())

    def clients(self) -> QuerySet[SeenClient]:
        """The assistants that used a token in sight."""
        return SeenClient.objects.filter(token__in=self.tokens().order_by())

    def refused_credentials(self) -> QuerySet[RejectedCredential]:
        """Rejected requests that carried a token in sight, the token itself.

        Those that only named a prefix are left out: anybody can send them, so they say nothing about a token.
        """
        known = self.tokens().order_by().filter(env=OuterRef("env"), prefix=OuterRef("prefix"))
        return RejectedCredential.objects.filter(Exists(known), matches_token=True)

    def connections(self) -> QuerySet[Connection]:
        """The connections in sight, removed ones too: one's own, or all of the workspace's for who reviews it."""
        rows = Connection.objects.filter(workspace_id=self.member.workspace_id)
        return rows if self.member.sees_workspace else rows.filter(owner=self.member)

    def rotations(self) -> RotationQuerySet:
        """The rotations in sight: those of the workspace, or of one's own tokens."""
        rows = Rotation.objects.filter(workspace_id=self.member.workspace_id).select_related("workspace", "owner")
        return rows if self.member.sees_workspace else rows.filter(Q(owner=self.member) | self._own_tokens)

    def losses(self) -> QuerySet[ActivityLoss]:
        """Calls that could not be recorded. They carry no token, so only who sees the workspace sees them."""
        rows = ActivityLoss.objects.filter(org_id=self.org_id)
        return rows if self.member.sees_workspace else rows.none()

    @cached_property
    def _own_keys(self) -> list[tuple[str, str]]:
        return list(TokenClaim.objects.filter(member=self.member).order_by().values_list("env", "prefix"))

    @cached_property
    def _own_tokens(self) -> Q:
        return rows_of_tokens(self._own_keys)


class ConsoleRequest(HttpRequest):
    """A request behind the site's access check; `middleware.viewer` sets `viewer`."""

    viewer: Viewer


def rows_of_tokens(keys: Iterable[tuple[str, str]]) -> Q:
    """Rows of the tokens with these environments and prefixes."""
    prefixes = defaultdict(list)
    for env, prefix in keys:
        prefixes[env].append(prefix)
    # An empty `in` matches nothing, which is right for somebody without tokens.
    rows = Q(prefix__in=[])
    for env, known in prefixes.items():
        rows |= Q(env=env, prefix__in=known)
    return rows


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
    has_snoozed_requests = request.session.get(PUT_OFF_KEY) == _signed_in_at(request)
    return Viewer(member, memberships, has_snoozed_requests=has_snoozed_requests)


def snooze_requests(request: HttpRequest) -> None:
    """Let the viewer be asked for nothing more until they sign in the next time."""
    request.session[PUT_OFF_KEY] = _signed_in_at(request)


def _signed_in_at(request: HttpRequest) -> str:
    """Which sign-in this is. The session itself may outlive a sign-in."""
    last = getattr(request.user, "last_login", None)
    return last.isoformat() if last else "never"
