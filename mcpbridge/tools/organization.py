"""The token itself and its workspace: get_me, get_organization.

Source: the Hoursmith contract, sections 3 (every role may), 9 (me, organization) and 10.
"""

from mcpbridge.models import Kind
from mcpbridge.tools import shapes
from mcpbridge.tools.declaration import Tool

_ME = shapes.record(
    {
        "orgId": shapes.string("The workspace's id."),
        "orgName": shapes.maybe(),
        "plan": shapes.string("free, studio or agency."),
        "role": shapes.string("OWNER, ADMIN, MANAGER or MEMBER."),
        "tokenName": shapes.maybe("What the person called this token."),
        "scopes": shapes.strings("read, and write where the token may change something."),
        "projectIds": shapes.strings("The projects that this member is on."),
    },
    known_by="orgId",
)

_ORGANIZATION = shapes.record(
    {
        "id": shapes.string(),
        "name": shapes.string(),
        "plan": shapes.string("free, studio or agency."),
        "defaultCurrency": shapes.maybe("ISO 4217, such as EUR."),
        "invoicePrefix": shapes.maybe(),
        "legalName": shapes.maybe(),
        "taxId": shapes.maybe(),
        "businessEmail": shapes.maybe(),
        "businessWebsite": shapes.maybe(),
        "createdAt": shapes.string("ISO 8601, UTC."),
    }
)

TOOLS = (
    Tool(
        name="get_me",
        title="Show what this token may do",
        description=(
            "Shows whom this token acts for: the workspace, its plan, the member's role, the token's name, its scopes "
            "and the projects the member is on. Call it first: role and scopes decide what the other tools allow. "
            "Open to every role. It gives no name, e-mail or user id; list_members does."
        ),
        method="GET",
        path="/me",
        kind=Kind.READ,
        target_type="",
        arguments={},
        output_schema=shapes.one(_ME),
    ),
    Tool(
        name="get_organization",
        title="Show the workspace",
        description=(
            "Shows the workspace's own data: name, plan, default currency, invoice prefix, legal name, tax id and "
            "business contact. Open to every role; nobody can change it here."
        ),
        method="GET",
        path="/organization",
        kind=Kind.READ,
        target_type="organization",
        arguments={},
        output_schema=shapes.one(_ORGANIZATION),
        label=("name",),
    ),
)
