"""Members of the workspace, read only.

Source: the Hoursmith contract, sections 3 (a Member sees their own record), 7 (list), 9 (member) and 10.
"""

from mcpbridge.models import Kind
from mcpbridge.tools import shapes
from mcpbridge.tools.arguments import choice, days, listing
from mcpbridge.tools.declaration import Tool

_MEMBER = shapes.record(
    {
        "id": shapes.string("The membership's id; other tools want userId."),
        "orgId": shapes.string(),
        "userId": shapes.string("What userId and assigneeIds mean elsewhere."),
        "role": shapes.string("OWNER, ADMIN, MANAGER or MEMBER."),
        "name": shapes.maybe(),
        "email": shapes.maybe(),
        "createdAt": shapes.string("ISO 8601, UTC."),
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
        kind=Kind.READ,
        target_type="member",
        arguments=listing(
            {"role": choice("Only members with this role.", ("OWNER", "ADMIN", "MANAGER", "MEMBER"))},
            search="name or e-mail",
            sort=("createdAt", "id", "role"),
            ranges=days("createdAt"),
        ),
        output_schema=shapes.page(_MEMBER),
    ),
)
