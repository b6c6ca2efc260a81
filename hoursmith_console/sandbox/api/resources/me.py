"""Whom the token acts as. It names no person: no user id, no name, no e-mail address."""

from typing import Any

from hoursmith_console.sandbox.api.callers import EVERYONE
from hoursmith_console.sandbox.api.fields import fixed
from hoursmith_console.sandbox.api.operations import Operation, Visit
from hoursmith_console.sandbox.api.values import ID, Choice, Several, Text
from hoursmith_console.sandbox.models import Plan, Project, Role, Scope

FIELDS = (
    fixed("orgId"),
    fixed("orgName", Text(200)),
    fixed("plan", Choice(Plan.values)),
    fixed("role", Choice(Role.values)),
    fixed("tokenName", Text(100)),
    fixed("scopes", Several(Choice(Scope.values), 2)),
    fixed("projectIds", Several(ID, 10_000)),
)


def show_me(visit: Visit) -> dict[str, Any]:
    """Workspace, plan, role, token and projects of the caller."""
    caller = visit.caller
    projects = Project.objects.filter(org_id=caller.org_id, people=caller.user_id, deleted_at__isnull=True)
    return {
        "orgId": str(caller.org_id),
        "orgName": caller.org.name,
        "plan": caller.org.plan,
        "role": caller.role.value,
        "tokenName": caller.token.name,
        "scopes": list(caller.token.scopes),
        "projectIds": [str(pk) for pk in projects.order_by("id").values_list("id", flat=True)],
    }


OPERATIONS = (
    Operation(
        name="get_me",
        summary="Show whom the token acts as.",
        method="GET",
        path="/me",
        roles=EVERYONE,
        run=show_me,
        record="Me",
    ),
)
