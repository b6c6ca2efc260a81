"""The token itself and its workspace: get_me, get_organization.

Source: the Hoursmith contract, sections 3 (every role may), 9 (me, organization) and 10.
"""

from mcpbridge.models import CallKind
from mcpbridge.tools import results
from mcpbridge.tools.base import Tool

_ME = results.record(
    {
        "orgId": results.string("The workspace's id."),
        "orgName": results.maybe(),
        "plan": results.string("free, studio or agency."),
        "role": results.string("OWNER, ADMIN, MANAGER or MEMBER."),
        "tokenName": results.maybe("The token's name."),
        "scopes": results.strings("read, and write where the token may change something."),
        "projectIds": results.strings("The projects that this member is on."),
    },
    known_by="orgId",
)

_ORGANIZATION = results.record(
    {
        "id": results.string(),
        "name": results.string(),
        "plan": results.string("free, studio or agency."),
        "defaultCurrency": results.maybe("ISO 4217, such as EUR."),
        "invoicePrefix": results.maybe(),
        "legalName": results.maybe(),
        "taxId": results.maybe(),
        "businessEmail": results.maybe(),
        "businessWebsite": results.maybe(),
        "createdAt": results.string("ISO 8601, UTC."),
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
        kind=CallKind.READ,
        target_type="",
        arguments={},
        output_schema=results.one(_ME),
    ),
    Tool(
        name="get_organization",
        title="Show the workspace",
        description=(
            "Shows the workspace's own data: name, plan, default currency, invoice prefix, legal name, tax id and "
            "business contact. Open to every role; it cannot be changed here."
        ),
        method="GET",
        path="/organization",
        kind=CallKind.READ,
        target_type="organization",
        arguments={},
        output_schema=results.one(_ORGANIZATION),
        label=("name",),
    ),
)
