"""Members: the staff see everybody, a Member only their own record."""

from django.db.models import QuerySet

from hoursmith_console.sandbox.api.callers import EVERYONE, Caller
from hoursmith_console.sandbox.api.fields import IDENTITY, fixed
from hoursmith_console.sandbox.api.formats.times import INSTANT
from hoursmith_console.sandbox.api.lists import Filter, Listing, page
from hoursmith_console.sandbox.api.operations import Operation, Page, Shape, Visit
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


def visible(caller: Caller) -> QuerySet[Member]:
    """The members that exist for `caller`."""
    rows = Member.objects.filter(org_id=caller.org_id, is_active=True).select_related("user")
    return rows.filter(user_id=caller.user_id) if caller.is_limited else rows


def members_page(visit: Visit) -> Page:
    """One page of the members."""
    found, cursor = page(visible(visit.caller), LISTING, visit.query)
    data = [{field.name: field.render(row) for field in FIELDS} for row in found]
    return Page(data, cursor, visit.query.limit)


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
