"""Tasks: the staff may do everything; Members see those of their projects and change those assigned to them."""

from typing import Any

from django.db.models import QuerySet

from hoursmith_console.sandbox.api.callers import EVERYONE, Caller
from hoursmith_console.sandbox.api.errors import ConflictError, ForbiddenError
from hoursmith_console.sandbox.api.fields import IDENTITY, STAMPS, Field
from hoursmith_console.sandbox.api.formats.numbers import HOURS
from hoursmith_console.sandbox.api.formats.times import DAY, INSTANT
from hoursmith_console.sandbox.api.lists import Filter, Listing
from hoursmith_console.sandbox.api.operations import Visit
from hoursmith_console.sandbox.api.resource import Resource
from hoursmith_console.sandbox.api.resources.clients import NAME
from hoursmith_console.sandbox.api.resources.projects import project_named_in
from hoursmith_console.sandbox.api.values import FLAG, ID, Choice, Several, Text
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
        Field("billable", FLAG, default=True),
        Field("estimatedHours", HOURS),
        Field("assigneeIds", Several(ID, 100), cleared=()),
        Field("tags", Several(Text(100, least=1), 50), cleared=()),
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
            Filter("billable", FLAG),
        ),
        ranges={"startDate": DAY, "dueDate": DAY, "endDate": DAY, "createdAt": INSTANT},
    )

    def visible(self, caller: Caller) -> QuerySet[Task]:
        rows = super().visible(caller)
        return rows.filter(project__people=caller.user_id) if caller.is_limited else rows

    def with_related(self, rows: QuerySet[Task]) -> QuerySet[Task]:
        return rows.prefetch_related("assignees")

    def forbids_change(self, visit: Visit) -> None:
        """Refuse a Member who sees the task but is not assigned to it."""
        if visit.caller.is_limited:
            row = self.find(visit)
            if not row.assignees.filter(pk=visit.caller.user_id).exists():
                raise ForbiddenError("Members change only tasks that are assigned to them.")

    def assign(self, row: Task, visit: Visit) -> None:
        for attr, value in visit.values.items():
            if attr != "assignee_ids":
                setattr(row, attr, value)

    def check(self, row: Task, visit: Visit, faults: dict[str, str]) -> None:
        project_named_in(visit.values, visit.caller, faults)
        wanted = visit.values.get("assignee_ids", ())
        members = Member.objects.filter(org_id=row.org_id, is_active=True, user__in=wanted)
        if wanted and members.count() < len(wanted):
            faults["assigneeIds"] = "must be userIds of members of this workspace"

    def guard_change(self, row: Task, visit: Visit) -> None:
        if "project_id" in visit.values and row.time_entries.exclude(project_id=row.project_id).exists():
            raise ConflictError("The task has time on its project and cannot move to another.")

    def stored(self, row: Task, visit: Visit) -> None:
        if "assignee_ids" in visit.values:
            row.assignees.set(visit.values["assignee_ids"])
        if not {"assignee_ids", "project_id"}.isdisjoint(visit.values):
            # Assigning a task to a Member puts them on its project (contract, section 3).
            limited = row.assignees.filter(memberships__org=row.org_id, memberships__role=Role.MEMBER)
            row.project.people.add(*limited)

    def archive(self, visit: Visit) -> dict[str, Any]:
        row = self.find(visit, lock=True)
        if row.deleted_at is None:
            row.deleted_at = row.updated_at = visit.now
            row.save(update_fields=["deleted_at", "updated_at"])
        return self.render(row, visit.caller)


TASKS = Tasks()
OPERATIONS = (
    TASKS.list_operation(),
    TASKS.get_operation(),
    TASKS.create_operation(),
    TASKS.change_operation(roles=EVERYONE, forbids=TASKS.forbids_change),
    TASKS.archive_operation(TASKS.archive),
)
