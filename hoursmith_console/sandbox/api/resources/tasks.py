"""Tasks: full access for staff; Members see those of their projects and change those assigned to them."""

from typing import Any

from django.db.models import QuerySet

from hoursmith_console.sandbox.api.auth_context import EVERYONE, AuthContext
from hoursmith_console.sandbox.api.errors import ConflictError, ForbiddenError
from hoursmith_console.sandbox.api.fields import IDENTITY, STAMPS, Field
from hoursmith_console.sandbox.api.formats.numbers import HOURS
from hoursmith_console.sandbox.api.formats.times import DAY, INSTANT
from hoursmith_console.sandbox.api.lists import Filter, Listing
from hoursmith_console.sandbox.api.operations import RequestContext
from hoursmith_console.sandbox.api.resource import Resource
from hoursmith_console.sandbox.api.resources.clients import NAME
from hoursmith_console.sandbox.api.resources.projects import find_project
from hoursmith_console.sandbox.api.values import BOOLEAN, ID, Choice, ListOf, Text
from hoursmith_console.sandbox.models import Member, Priority, Role, Task, TaskStatus

STATUS = Choice(TaskStatus.values)
PRIORITY = Choice(Priority.values)


class Tasks(Resource[Task]):
    noun, plural, path, schema = "task", "tasks", "/tasks", "Task"
    model = Task
    readers = EVERYONE
    fields = (
        *IDENTITY,
        Field("projectId", ID, required=True),
        Field("name", NAME, required=True),
        Field("description", Text(10_000)),
        Field("status", STATUS, default=TaskStatus.TODO),
        Field("priority", PRIORITY, default=Priority.MEDIUM),
        Field("billable", BOOLEAN, default=True),
        Field("estimatedHours", HOURS),
        Field("assigneeIds", ListOf(ID, 100), cleared=()),
        Field("tags", ListOf(Text(100, minimum=1), 50), cleared=()),
        Field("startDate", DAY),
        Field("dueDate", DAY),
        Field("endDate", DAY),
        *STAMPS,
    )
    listing = Listing(
        sorts={
            "createdAt": INSTANT,
            "dueDate": DAY,
            "endDate": DAY,
            "id": ID,
            "name": NAME,
            "priority": PRIORITY,
            "startDate": DAY,
            "status": STATUS,
            "updatedAt": INSTANT,
        },
        search=("name", "description"),
        filters=(
            Filter("projectId", ID),
            Filter("assigneeId", ID, "assignees"),
            Filter("status", STATUS),
            Filter("priority", PRIORITY),
            Filter("billable", BOOLEAN),
        ),
        ranges={"startDate": DAY, "dueDate": DAY, "endDate": DAY, "createdAt": INSTANT},
    )

    def visible(self, auth: AuthContext) -> QuerySet[Task]:
        rows = super().visible(auth)
        return rows.filter(project__people=auth.user_id) if auth.is_limited else rows

    def with_related(self, rows: QuerySet[Task]) -> QuerySet[Task]:
        return rows.prefetch_related("assignees")

    def forbids_change(self, context: RequestContext) -> None:
        """Refuse a Member who sees the task but is not assigned to it."""
        if context.auth.is_limited:
            row = self.find(context)
            if not row.assignees.filter(pk=context.auth.user_id).exists():
                raise ForbiddenError("Members can only change tasks assigned to them.")

    def assign(self, row: Task, context: RequestContext) -> None:
        for attr, value in context.values.items():
            if attr != "assignee_ids":
                setattr(row, attr, value)
        # As with projects; for those who may archive.
        if "status" in context.values and not context.auth.is_limited:
            row.deleted_at = None

    def check(self, row: Task, context: RequestContext, faults: dict[str, str]) -> None:
        find_project(context.values, context.auth, faults)
        wanted = context.values.get("assignee_ids", ())
        members = Member.objects.filter(org_id=row.org_id, is_active=True, user__in=wanted)
        if wanted and members.count() < len(wanted):
            faults["assigneeIds"] = "must be userIds of members of this workspace"

    def guard_change(self, row: Task, context: RequestContext) -> None:
        if "project_id" in context.values and row.time_entries.exclude(project_id=row.project_id).exists():
            raise ConflictError("The task has time entries on its project and cannot move to another.")

    def stored(self, row: Task, context: RequestContext) -> None:
        if "assignee_ids" in context.values:
            row.assignees.set(context.values["assignee_ids"])
        if not {"assignee_ids", "project_id"}.isdisjoint(context.values):
            # Assigning a task to a Member puts them on its project (contract, section 3).
            limited = row.assignees.filter(memberships__org=row.org_id, memberships__role=Role.MEMBER)
            row.project.people.add(*limited)

    def archive(self, context: RequestContext) -> dict[str, Any]:
        row = self.find(context, lock=True)
        if row.deleted_at is None:
            row.deleted_at = row.updated_at = context.now
            row.save(update_fields=["deleted_at", "updated_at"])
        return self.render(row, context.auth)


TASKS = Tasks()
OPERATIONS = (
    TASKS.list_operation(),
    TASKS.get_operation(),
    TASKS.create_operation(),
    TASKS.change_operation(roles=EVERYONE, forbids=TASKS.forbids_change),
    TASKS.archive_operation(TASKS.archive),
)
