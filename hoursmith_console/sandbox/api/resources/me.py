"""The token's workspace, role and scopes. Does not identify the user: no user id, name or email address."""

from typing import Any

from hoursmith_console.sandbox.api.auth_context import EVERYONE
from hoursmith_console.sandbox.api.fields import fixed
from hoursmith_console.sandbox.api.operations import Operation, RequestContext
from hoursmith_console.sandbox.api.values import ID, Choice, ListOf, Text
from hoursmith_console.sandbox.models import Plan, Project, Role, Scope

FIELDS = (
    fixed("orgId"),
    fixed("orgName", Text(200)),
    fixed("plan", Choice(Plan.values)),
    fixed("role", Choice(Role.values)),
    fixed("tokenName", Text(100)),
    fixed("scopes", ListOf(Choice(Scope.values), 2)),
    fixed("projectIds", ListOf(ID, 10_000)),
)


def show_me(context: RequestContext) -> dict[str, Any]:
    """Return workspace, plan, role, token and projects of the caller."""
    auth = context.auth
    projects = Project.objects.filter(org_id=auth.org_id, people=auth.user_id, deleted_at__isnull=True)
    return {
        "orgId": str(auth.org_id),
        "orgName": auth.org.name,
        "plan": auth.org.plan,
        "role": auth.role.value,
        "tokenName": auth.token.name,
        "scopes": list(auth.token.scopes),
        "projectIds": [str(pk) for pk in projects.order_by("id").values_list("id", flat=True)],
    }


OPERATIONS = (
    Operation(
        name="get_me",
        summary="Show the token's workspace, role and scopes.",
        method="GET",
        path="/me",
        roles=EVERYONE,
        run=show_me,
        record="Me",
    ),
)
