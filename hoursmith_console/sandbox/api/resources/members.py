"""Members: staff see all of them, a Member only their own record."""

from django.db.models import QuerySet

from hoursmith_console.sandbox.api.auth_context import EVERYONE, AuthContext
from hoursmith_console.sandbox.api.fields import IDENTITY, fixed
from hoursmith_console.sandbox.api.formats.times import INSTANT
from hoursmith_console.sandbox.api.lists import Filter, Listing, page
from hoursmith_console.sandbox.api.operations import Operation, Page, RequestContext, Shape
from hoursmith_console.sandbox.api.values import ID, Choice, Text
from hoursmith_console.sandbox.models import Member, Role

ROLE = Choice(Role.values)
FIELDS = (
    *IDENTITY,
    fixed("userId"),
    fixed("role", ROLE),
    fixed("name", Text(200)),
    fixed("email", Text(254)),
    fixed("createdAt", INSTANT),
)
LISTING = Listing(
    sorts={"createdAt": INSTANT, "id": ID, "role": ROLE},
    search=("user__name", "user__email"),
    filters=(Filter("role", ROLE),),
    ranges={"createdAt": INSTANT},
)


def visible(auth: AuthContext) -> QuerySet[Member]:
    """Return the members visible to the caller."""
    rows = Member.objects.filter(org_id=auth.org_id, is_active=True).select_related("user")
    return rows.filter(user_id=auth.user_id) if auth.is_limited else rows


def members_page(context: RequestContext) -> Page:
    """Return one page of members."""
    found, cursor = page(visible(context.auth), LISTING, context.query)
    data = [{field.name: field.render(row) for field in FIELDS} for row in found]
    return Page(data, cursor, context.query.limit)


OPERATIONS = (
    Operation(
        name="list_members",
        summary="List members, one page at a time.",
        method="GET",
        path="/members",
        roles=EVERYONE,
        run=members_page,
        record="Member",
        shape=Shape.PAGE,
        listing=LISTING,
    ),
)
