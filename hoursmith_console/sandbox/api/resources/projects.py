"""Projects: the staff may do everything, Members see those they are on, without money."""

from typing import Any

from django.db.models import QuerySet

from hoursmith_console.sandbox.api.callers import EVERYONE, Caller
from hoursmith_console.sandbox.api.errors import ConflictError
from hoursmith_console.sandbox.api.fields import IDENTITY, STAMPS, Field
from hoursmith_console.sandbox.api.formats.numbers import HOURS, MONEY
from hoursmith_console.sandbox.api.formats.times import DAY, INSTANT
from hoursmith_console.sandbox.api.lists import Filter, Listing, ListQuery, PartialFilter
from hoursmith_console.sandbox.api.operations import Visit
from hoursmith_console.sandbox.api.resource import Resource
from hoursmith_console.sandbox.api.resources.clients import NAME, client_named_in
from hoursmith_console.sandbox.api.values import ID, Choice, Text
from hoursmith_console.sandbox.models import Project, ProjectStatus, RateType

STATUS = Choice(
    ProjectStatus.values,
    # Archiving is the archive call's alone: whoever watches for it need not watch for changes too.
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
        Field("hourlyRate", MONEY, blind=True),
        Field("fixedFeeAmount", MONEY, blind=True),
        Field("budgetHours", HOURS),
        Field("budgetAmount", MONEY, blind=True),
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

    def visible(self, caller: Caller) -> QuerySet[Project]:
        rows = super().visible(caller)
        return rows.filter(people=caller.user_id) if caller.is_limited else rows

    def listed(self, caller: Caller, query: ListQuery) -> QuerySet[Project]:
        # Archived projects are left out of lists, unless it is them that are asked for.
        if query.asked["status"] == ProjectStatus.ARCHIVED:
            return self.visible(caller)
        return super().listed(caller, query)

    def assign(self, row: Project, visit: Visit) -> None:
        super().assign(row, visit)
        if "status" in visit.values:
            row.deleted_at = None

    def check(self, row: Project, visit: Visit, faults: dict[str, str]) -> None:
        client_named_in(visit.values, visit.caller, faults)
        if row.budget_hours is not None and row.budget_amount is not None:
            faults["budgetAmount"] = "only one of budgetHours and budgetAmount may be set"
        if row.rate_type == RateType.FIXED and row.fixed_fee_amount is None:
            faults["fixedFeeAmount"] = "required where rateType is FIXED"
        if row.rate_type != RateType.FIXED and row.fixed_fee_amount is not None:
            faults["fixedFeeAmount"] = "only where rateType is FIXED"
        if row.start_date and row.due_date and row.due_date < row.start_date:
            faults["dueDate"] = "must not be before startDate"

    def guard_change(self, row: Project, visit: Visit) -> None:
        if "status" in visit.values and row.client.deleted_at is not None:
            raise ConflictError("The project's client was deleted.")

    def archive(self, visit: Visit) -> dict[str, Any]:
        row = self.find(visit, lock=True)
        if row.deleted_at is None:
            row.status, row.deleted_at, row.updated_at = ProjectStatus.ARCHIVED, visit.now, visit.now
            row.save(update_fields=["status", "deleted_at", "updated_at"])
        return self.render(row, visit.caller)


PROJECTS = Projects()
OPERATIONS = (
    PROJECTS.list_operation(),
    PROJECTS.get_operation(),
    PROJECTS.create_operation(),
    PROJECTS.change_operation(),
    PROJECTS.archive_operation(PROJECTS.archive),
)


def project_named_in(values: dict[str, Any], caller: Caller, faults: dict[str, str]) -> Project | None:
    """The project that `values` refer to, None where they do not; one out of sight is a fault."""
    if values.get("project_id") is None:
        return None
    project = PROJECTS.visible(caller).filter(pk=values["project_id"]).first()
    if project is None:
        faults["projectId"] = "there is no such project"
    return project
