"""The workspace, readable by every role."""

from typing import Any

from hoursmith_console.sandbox.api.auth_context import EVERYONE
from hoursmith_console.sandbox.api.fields import fixed
from hoursmith_console.sandbox.api.formats.times import INSTANT
from hoursmith_console.sandbox.api.operations import Operation, RequestContext
from hoursmith_console.sandbox.api.values import CURRENCY, Choice, Text
from hoursmith_console.sandbox.models import Plan

FIELDS = (
    fixed("id"),
    fixed("name", Text(200)),
    fixed("plan", Choice(Plan.values)),
    fixed("defaultCurrency", CURRENCY),
    fixed("invoicePrefix", Text(20)),
    fixed("legalName", Text(200), nullable=True),
    fixed("taxId", Text(50), nullable=True),
    fixed("businessEmail", Text(254), nullable=True),
    fixed("businessWebsite", Text(500), nullable=True),
    fixed("createdAt", INSTANT),
)


def show_organization(context: RequestContext) -> dict[str, Any]:
    """Return the caller's workspace."""
    return {field.name: field.render(context.auth.org) for field in FIELDS}


OPERATIONS = (
    Operation(
        name="get_organization",
        summary="Show the workspace.",
        method="GET",
        path="/organization",
        roles=EVERYONE,
        run=show_organization,
        record="Organization",
    ),
)
