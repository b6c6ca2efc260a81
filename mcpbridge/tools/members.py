"""Members of the workspace, read only.

Source: the Hoursmith contract, sections 3 (a Member sees their own record), 7 (list), 9 (member) and 10.
"""

from mcpbridge.models import CallKind
from mcpbridge.tools import results
from mcpbridge.tools.base import Tool
from mcpbridge.tools.fields import choice, days, listing

_MEMBER = results.record(
    {
        "id": results.string("The membership's id; other tools want userId."),
        "orgId": results.string(),
        "userId": results.string("What userId and assigneeIds mean elsewhere."),
        "role": results.string("OWNER, ADMIN, MANAGER or MEMBER."),
        "name": results.maybe(),
        "email": results.maybe(),
        "createdAt": results.string("ISO 8601, UTC."),
    }
)

TOOLS = (
    Tool(
        name="list_members",
        title="List members",
        description=(
            "Lists the people of the workspace with role, name, e-mail and the userId that assigneeIds and userId "
            "mean elsewhere. Owner, Admin and Manager see everyone, a Member only themselves. Nothing here invites, "
            "changes or removes anyone."
        ),
        method="GET",
        path="/members",
        kind=CallKind.READ,
        target_type="member",
        arguments=listing(
            {"role": choice("Only members with this role.", ("OWNER", "ADMIN", "MANAGER", "MEMBER"))},
            search="name or e-mail",
            sort=("createdAt", "id", "role"),
            ranges=days("createdAt"),
        ),
        output_schema=results.page(_MEMBER),
    ),
)
