"""Tasks, the pieces of work in a project.

Source: the Hoursmith contract, sections 3 (Members edit what is assigned to them), 7 (list), 9 (task) and 10.
"""

from mcpbridge.models import CallKind
from mcpbridge.tools import results
from mcpbridge.tools.base import Tool
from mcpbridge.tools.fields import (
    changes,
    choice,
    date,
    days,
    decimal,
    flag,
    idempotency_key,
    listing,
    many,
    text,
    uuid,
)
from mcpbridge.tools.undo import SAME_RECORD, Undo

_ID = uuid("The task's id, as list_tasks gives it.")
_STATUSES = ("TODO", "IN_PROGRESS", "DONE")
_PRIORITIES = ("LOW", "MEDIUM", "HIGH")

_FIELDS = {
    "projectId": uuid("The project it belongs to, as list_projects gives it."),
    "name": text("What is to be done.", least=1, most=200),
    "description": text("More about it.", most=10_000),
    "status": choice("How far it is.", _STATUSES, default="TODO"),
    "priority": choice("How urgent it is.", _PRIORITIES, default="MEDIUM"),
    "billable": flag("Whether its time is charged to the client.", default=True),
    "estimatedHours": decimal("How many hours it should take."),
    "assigneeIds": many(
        "Who does it: the userId of members, from list_members. The list replaces the one before. A Member who is "
        "assigned joins the project.",
        uuid("A member's userId."),
        most=100,
    ),
    "tags": many(
        "Words to find it by. The list replaces the one before.", text("One tag.", least=1, most=100), most=50
    ),
    "startDate": date("The day it begins."),
    "dueDate": date("The day it is due."),
    "endDate": date("The day it ended."),
}

_TASK = results.record(
    {
        "id": results.string(),
        "orgId": results.string(),
        "projectId": results.string(),
        "name": results.string(),
        "description": results.maybe(),
        "status": results.string("TODO, IN_PROGRESS or DONE."),
        "priority": results.string("LOW, MEDIUM or HIGH."),
        "billable": results.boolean(),
        "estimatedHours": results.number(),
        "assigneeIds": results.strings("The userId of members."),
        "tags": results.strings(),
        "startDate": results.maybe("YYYY-MM-DD."),
        "dueDate": results.maybe("YYYY-MM-DD."),
        "endDate": results.maybe("YYYY-MM-DD."),
        **results.stamps(),
    }
)

TOOLS = (
    Tool(
        name="list_tasks",
        title="List tasks",
        description=(
            "Lists tasks, one page at a time, newest first unless sort says otherwise. Archived ones are left out. "
            "Owner, Admin and Manager see all; a Member sees those of the projects they are on."
        ),
        method="GET",
        path="/tasks",
        kind=CallKind.READ,
        target_type="task",
        arguments=listing(
            {
                "projectId": uuid("Only tasks of this project."),
                "assigneeId": uuid("Only tasks assigned to the member with this userId."),
                "status": choice("Only tasks with this status.", _STATUSES),
                "priority": choice("Only tasks with this priority.", _PRIORITIES),
                "billable": flag("Only tasks that are charged to the client, or only those that are not."),
            },
            search="name or description",
            sort=("createdAt", "dueDate", "endDate", "id", "name", "priority", "startDate", "status", "updatedAt"),
            ranges=days("startDate", "dueDate", "endDate", "createdAt"),
        ),
        output_schema=results.page(_TASK),
    ),
    Tool(
        name="get_task",
        title="Show a task",
        description=(
            "Shows one task, an archived one too. A Member sees only tasks of projects they are on (404 for any other)."
        ),
        method="GET",
        path="/tasks/{id}",
        kind=CallKind.READ,
        target_type="task",
        arguments={"id": _ID},
        required=("id",),
        output_schema=results.one(_TASK),
        label=("name",),
    ),
    Tool(
        name="create_task",
        title="Create a task",
        description=(
            "Creates a task in a project. Assigning a Member puts them on the project. For Owner, Admin and Manager "
            "with a token that may write; a Member is refused with 403."
        ),
        method="POST",
        path="/tasks",
        kind=CallKind.WRITE,
        target_type="task",
        arguments={**_FIELDS, "idempotencyKey": idempotency_key()},
        required=("projectId", "name"),
        output_schema=results.one_or_none(_TASK),
        label=("name",),
    ),
    Tool(
        name="update_task",
        title="Change a task",
        description=(
            "Changes the fields that are given and leaves the rest as it is; null clears a field. Owner, Admin and "
            "Manager change any task, a Member those assigned to them (403 for others they can see, 404 for the "
            "rest); the token must be one that may write. To archive a task, call archive_task."
        ),
        method="PATCH",
        path="/tasks/{id}",
        kind=CallKind.WRITE,
        target_type="task",
        arguments={"id": _ID, **changes(_FIELDS, kept=("projectId", "name", "status", "priority", "billable"))},
        required=("id",),
        output_schema=results.one_or_none(_TASK),
        label=("name",),
    ),
    Tool(
        name="archive_task",
        title="Archive a task",
        description=(
            "Archives a task: it leaves every list, for everyone in the workspace, and still answers to get_task. "
            "update_task with a status brings it back. For Owner, Admin and Manager with a token that may write; a "
            "Member is refused with 403. The call and the task as it was are recorded for the workspace's admins. "
            "Ask the user before you call it."
        ),
        method="POST",
        path="/tasks/{id}/archive",
        kind=CallKind.DESTRUCTIVE,
        target_type="task",
        arguments={"id": _ID, "idempotencyKey": idempotency_key()},
        required=("id",),
        output_schema=results.one_or_none(_TASK),
        label=("name",),
    ),
)

UNDO = Undo(
    tool="archive_task",
    by="update_task",
    sets={"status": "TODO"},
    as_before=("status",),
    lost=SAME_RECORD,
    advice={
        "not_found": "The task no longer exists in Hoursmith, or you may not see it. It cannot be restored.",
        "conflict": "Its project may be archived. Restore the project first.",
    },
)
