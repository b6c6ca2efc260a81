"""Projects, the work for a client with its rate and budget.

A project is archived with archive_project alone: `status` takes no ARCHIVED here, so that none is archived
without the record that destructive calls get.

Source: the Hoursmith contract, sections 3 (who sees which, money-blindness), 7 (list), 9 (project) and 10.
"""

from mcpbridge.models import CallKind
from mcpbridge.tools import results
from mcpbridge.tools.base import Tool
from mcpbridge.tools.fields import changes, choice, date, days, decimal, idempotency_key, listing, text, uuid
from mcpbridge.tools.undo import SAME_RECORD, Undo

_ID = uuid("The project's id, as list_projects gives it.")

_FIELDS = {
    "clientId": uuid("The client whose project this is, as list_clients gives it."),
    "name": text("What the project is called.", least=1, most=200),
    "description": text("What the project is about.", most=10_000),
    "color": text("The colour it is shown in, such as #3b82f6.", most=32),
    "status": choice(
        "The status. ACTIVE also brings an archived project back; to archive one, call archive_project.",
        ("ACTIVE", "COMPLETED"),
        default="ACTIVE",
    ),
    "rateType": choice(
        "How it is charged: by the hour, for a fixed fee (then fixedFeeAmount is needed), or not at all.",
        ("HOURLY", "FIXED", "NON_BILLABLE"),
        default="HOURLY",
    ),
    "hourlyRate": decimal("What an hour costs, in the client's currency."),
    "fixedFeeAmount": decimal("The fixed fee: needed with rateType FIXED, refused with any other."),
    "budgetHours": decimal("The budget in hours. Only one of budgetHours and budgetAmount may be set."),
    "budgetAmount": decimal("The budget in money. Only one of budgetHours and budgetAmount may be set."),
    "startDate": date("The first day."),
    "dueDate": date("The last day; not before startDate."),
}

_PROJECT = results.record(
    {
        "id": results.string(),
        "orgId": results.string(),
        "clientId": results.string(),
        "name": results.string(),
        "description": results.maybe(),
        "color": results.maybe(),
        "status": results.string("ACTIVE, COMPLETED or ARCHIVED."),
        "rateType": results.string("HOURLY, FIXED or NON_BILLABLE."),
        "hourlyRate": results.money("A decimal string. Members do not see it."),
        "fixedFeeAmount": results.money("A decimal string. Members do not see it."),
        "budgetHours": results.number(),
        "budgetAmount": results.money("A decimal string. Members do not see it."),
        "startDate": results.maybe("YYYY-MM-DD."),
        "dueDate": results.maybe("YYYY-MM-DD."),
        **results.stamps(),
    }
)

TOOLS = (
    Tool(
        name="list_projects",
        title="List projects",
        description=(
            "Lists projects, one page at a time, newest first unless sort says otherwise. Archived ones are left "
            "out unless status asks for them. Owner, Admin and Manager see all; a Member sees the projects they are "
            "on, without rates, fees and budgets in money."
        ),
        method="GET",
        path="/projects",
        kind=CallKind.READ,
        target_type="project",
        arguments=listing(
            {
                "clientId": uuid("Only projects of this client."),
                "clientName": text("Only projects of clients whose name holds this text.", most=200),
                "status": choice("Only projects with this status.", ("ACTIVE", "COMPLETED", "ARCHIVED")),
            },
            search="name or description",
            sort=("createdAt", "dueDate", "id", "name", "startDate", "status", "updatedAt"),
            ranges=days("startDate", "dueDate", "createdAt"),
        ),
        output_schema=results.page(_PROJECT),
    ),
    Tool(
        name="get_project",
        title="Show a project",
        description=(
            "Shows one project, an archived one too. A Member sees only projects they are on (404 for any other) "
            "and no rates, fees or budgets in money."
        ),
        method="GET",
        path="/projects/{id}",
        kind=CallKind.READ,
        target_type="project",
        arguments={"id": _ID},
        required=("id",),
        output_schema=results.one(_PROJECT),
        label=("name",),
    ),
    Tool(
        name="create_project",
        title="Create a project",
        description=(
            "Creates a project for a client. Refused with 422 when both budgets are set, when rateType FIXED lacks "
            "fixedFeeAmount or another rateType has it, and when dueDate lies before startDate. For Owner, Admin "
            "and Manager with a token that may write; a Member is refused with 403."
        ),
        method="POST",
        path="/projects",
        kind=CallKind.WRITE,
        target_type="project",
        arguments={**_FIELDS, "idempotencyKey": idempotency_key()},
        required=("clientId", "name"),
        output_schema=results.one_or_none(_PROJECT),
        label=("name",),
    ),
    Tool(
        name="update_project",
        title="Change a project",
        description=(
            "Changes the fields that are given and leaves the rest as it is; null clears a field. status ACTIVE "
            "brings an archived project back. The rules of create_project hold for the outcome. For Owner, Admin "
            "and Manager with a token that may write; a Member is refused with 403."
        ),
        method="PATCH",
        path="/projects/{id}",
        kind=CallKind.WRITE,
        target_type="project",
        arguments={"id": _ID, **changes(_FIELDS, kept=("clientId", "name", "status", "rateType"))},
        required=("id",),
        output_schema=results.one_or_none(_PROJECT),
        label=("name",),
    ),
    Tool(
        name="archive_project",
        title="Archive a project",
        description=(
            "Archives a project: it leaves every list, for everyone in the workspace, and still answers to "
            "get_project. update_project with status ACTIVE brings it back. For Owner, Admin and Manager with a "
            "token that may write; a Member is refused with 403. The call and the project as it was are recorded "
            "for the workspace's admins. Ask the user before you call it."
        ),
        method="POST",
        path="/projects/{id}/archive",
        kind=CallKind.DESTRUCTIVE,
        target_type="project",
        arguments={"id": _ID, "idempotencyKey": idempotency_key()},
        required=("id",),
        output_schema=results.one_or_none(_PROJECT),
        label=("name",),
    ),
)

UNDO = Undo(
    tool="archive_project",
    by="update_project",
    sets={"status": "ACTIVE"},
    lost={"status": "The project becomes active, also if it was completed before.", **SAME_RECORD},
    beyond={"tasks": "Tasks that were archived one by one stay archived."},
    advice={
        "not_found": "The project no longer exists in Hoursmith, or you may not see it. It cannot be restored.",
        "conflict": (
            "Its client was probably deleted. Restore the client first, then move the project to it in Hoursmith."
        ),
    },
)
