"""Projects: full access for staff; Members see their own projects, without amounts."""

from typing import Any

from django.db.models import QuerySet

from hoursmith_console.sandbox.api.auth_context import EVERYONE, AuthContext
from hoursmith_console.sandbox.api.errors import ConflictError
from hoursmith_console.sandbox.api.fields import IDENTITY, STAMPS, Field
from hoursmith_console.sandbox.api.formats.numbers import HOURS, MONEY
from hoursmith_console.sandbox.api.formats.times import DAY, INSTANT
from hoursmith_console.sandbox.api.lists import Filter, Listing, ListQuery, PartialFilter
from hoursmith_console.sandbox.api.operations import RequestContext
from hoursmith_console.sandbox.api.resource import Resource
from hoursmith_console.sandbox.api.resources.clients import NAME, find_client
from hoursmith_console.sandbox.api.values import ID, Choice, Text
from hoursmith_console.sandbox.models import Project, ProjectStatus, RateType

STATUS = Choice(
    ProjectStatus.values,
    # Projects are archived only by the archive operation, so that archiving is always visible as such.
    accepted=(ProjectStatus.ACTIVE, ProjectStatus.COMPLETED),
    hint="; to archive, POST /projects/{id}/archive",
)


class Projects(Resource[Project]):
    noun, plural, path, schema = "project", "projects", "/projects", "Project"
    model = Project
    readers = EVERYONE
    fields = (
        *IDENTITY,
        Field("clientId", ID, required=True),
        Field("name", NAME, required=True),
        Field("description", Text(10_000)),
        Field("color", Text(32)),
        Field("status", STATUS, default=ProjectStatus.ACTIVE),
        Field("rateType", Choice(RateType.values), default=RateType.HOURLY),
        Field("hourlyRate", MONEY, hidden_from_members=True),
        Field("fixedFeeAmount", MONEY, hidden_from_members=True),
        Field("budgetHours", HOURS),
        Field("budgetAmount", MONEY, hidden_from_members=True),
        Field("startDate", DAY),
        Field("dueDate", DAY),
        *STAMPS,
    )
    listing = Listing(
        sorts={
            "createdAt": INSTANT,
            "dueDate": DAY,
            "id": ID,
            "name": NAME,
            "startDate": DAY,
            "status": STATUS,
            "updatedAt": INSTANT,
        },
        search=("name", "description"),
        filters=(
            Filter("clientId", ID),
            PartialFilter("clientName", "client__name"),
            Filter("status", Choice(ProjectStatus.values)),
        ),
        ranges={"startDate": DAY, "dueDate": DAY, "createdAt": INSTANT},
    )

    def visible(self, auth: AuthContext) -> QuerySet[Project]:
        rows = super().visible(auth)
        return rows.filter(people=auth.user_id) if auth.is_limited else rows

    def listed(self, auth: AuthContext, query: ListQuery) -> QuerySet[Project]:
        # Lists leave out archived projects unless filtered by that status.
        if query.asked["status"] == ProjectStatus.ARCHIVED:
            return self.visible(auth)
        return super().listed(auth, query)

    def assign(self, row: Project, context: RequestContext) -> None:
        super().assign(row, context)
        if "status" in context.values:
            row.deleted_at = None

    def check(self, row: Project, context: RequestContext, faults: dict[str, str]) -> None:
        find_client(context.values, context.auth, faults)
        if row.budget_hours is not None and row.budget_amount is not None:
            faults["budgetAmount"] = "only one of budgetHours and budgetAmount may be set"
        if row.rate_type == RateType.FIXED and row.fixed_fee_amount is None:
            faults["fixedFeeAmount"] = "required if rateType is FIXED"
        if row.rate_type != RateType.FIXED and row.fixed_fee_amount is not None:
            faults["fixedFeeAmount"] = "only allowed if rateType is FIXED"
        if row.start_date and row.due_date and row.due_date < row.start_date:
            faults["dueDate"] = "must not be before startDate"

    def guard_change(self, row: Project, context: RequestContext) -> None:
        if "status" in context.values and row.client.deleted_at is not None:
            raise ConflictError("The project's client was deleted.")

    def archive(self, context: RequestContext) -> dict[str, Any]:
        row = self.find(context, lock=True)
        if row.deleted_at is None:
            row.status, row.deleted_at, row.updated_at = ProjectStatus.ARCHIVED, context.now, context.now
            row.save(update_fields=["status", "deleted_at", "updated_at"])
        return self.render(row, context.auth)


PROJECTS = Projects()
OPERATIONS = (
    PROJECTS.list_operation(),
    PROJECTS.get_operation(),
    PROJECTS.create_operation(),
    PROJECTS.change_operation(),
    PROJECTS.archive_operation(PROJECTS.archive),
)


def find_project(values: dict[str, Any], auth: AuthContext, faults: dict[str, str]) -> Project | None:
    """Return the project that `values` refer to, or None; add an error if the caller may not see it."""
    if values.get("project_id") is None:
        return None
    project = PROJECTS.visible(auth).filter(pk=values["project_id"]).first()
    if project is None:
        faults["projectId"] = "there is no such project"
    return project
