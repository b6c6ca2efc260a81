"""Time entries: who worked how long on what.

Source: the Hoursmith contract, sections 3 (Members have their own), 7 (list), 9 (time entry, invoice lock,
running timer) and 10.
"""

from mcpbridge.models import CallKind
from mcpbridge.tools import results
from mcpbridge.tools.base import Tool
from mcpbridge.tools.fields import (
    changes,
    date,
    days,
    duration,
    flag,
    idempotency_key,
    instant,
    listing,
    text,
    uuid,
    whole,
)
from mcpbridge.tools.undo import NEW_RECORD, UNSEEN, Undo

_ID = uuid("The time entry's id, as list_time_entries gives it.")
_MOST_SECONDS = 366 * 24 * 3600

_FIELDS = {
    "projectId": uuid("The project that was worked on, as list_projects gives it."),
    "taskId": uuid("The task that was worked on; it must belong to the project."),
    "durationSeconds": whole(
        "How long, in seconds. Wins over duration where both are given.", least=0, most=_MOST_SECONDS
    ),
    "duration": duration("How long, as 1h30m, 1:30, 90m or 1.5h."),
    "billable": flag("Whether the time is charged to the client.", default=True),
    "note": text("What was done.", most=5000),
    "entryDate": date("The day of the work."),
    "startedAt": instant("When the work began. Seldom needed: entryDate and a duration are enough."),
    "stoppedAt": instant("When the work ended. A started entry without it is a running timer."),
}

_TIME_ENTRY = results.record(
    {
        "id": results.string(),
        "orgId": results.string(),
        "userId": results.string("Whose time it is: a member's userId."),
        "projectId": results.string(),
        "taskId": results.maybe(),
        "invoiceId": results.maybe("Once set, no one can change or delete the entry."),
        "durationSeconds": {"type": ["integer", "null"], "description": "Seconds."},
        "billable": results.boolean(),
        "note": results.maybe(),
        "entryDate": results.string("YYYY-MM-DD."),
        "startedAt": results.maybe(),
        "stoppedAt": results.maybe("null with a startedAt means that the timer is running."),
        **results.stamps(),
    }
)
_LABEL = ("note", "entryDate")

TOOLS = (
    Tool(
        name="list_time_entries",
        title="List time entries",
        description=(
            "Lists time entries, one page at a time, newest first unless sort says otherwise. Owner, Admin and "
            "Manager see everyone's; a Member sees their own, whatever userId says. For totals, read every page: "
            "there are no sums."
        ),
        method="GET",
        path="/time-entries",
        kind=CallKind.READ,
        target_type="time_entry",
        arguments=listing(
            {
                "projectId": uuid("Only time on this project."),
                "taskId": uuid("Only time on this task."),
                "userId": uuid("Only time of the member with this userId."),
                "billable": flag("Only time that is charged to the client, or only time that is not."),
                "running": flag("Only timers that are running, or only entries that are not."),
            },
            search="note",
            sort=("createdAt", "durationSeconds", "entryDate", "id", "updatedAt"),
            ranges={
                **days("entryDate", "createdAt"),
                "durationSecondsMin": whole(
                    "Only entries at least this long, in seconds.", least=0, most=_MOST_SECONDS
                ),
                "durationSecondsMax": whole("Only entries at most this long, in seconds.", least=0, most=_MOST_SECONDS),
            },
        ),
        output_schema=results.page(_TIME_ENTRY),
    ),
    Tool(
        name="get_time_entry",
        title="Show a time entry",
        description="Shows one time entry. A Member sees only their own (404 for any other).",
        method="GET",
        path="/time-entries/{id}",
        kind=CallKind.READ,
        target_type="time_entry",
        arguments={"id": _ID},
        required=("id",),
        output_schema=results.one(_TIME_ENTRY),
        label=_LABEL,
    ),
    Tool(
        name="get_running_timer",
        title="Show the running timer",
        description=(
            "Shows the timer that is running for the token's own member, or null where none is. Open to every role. "
            "Timers are started and stopped in Hoursmith itself."
        ),
        method="GET",
        path="/time-entries/running",
        kind=CallKind.READ,
        target_type="time_entry",
        arguments={},
        output_schema=results.one_or_none(_TIME_ENTRY),
        label=_LABEL,
    ),
    Tool(
        name="create_time_entry",
        title="Log time",
        description=(
            "Logs time on a project, for the token's own member. Say how long with durationSeconds or duration. "
            "A taskId must belong to the project. Every role may, with a token that may write; a Member only on "
            "projects they are on."
        ),
        method="POST",
        path="/time-entries",
        kind=CallKind.WRITE,
        target_type="time_entry",
        arguments={**_FIELDS, "idempotencyKey": idempotency_key()},
        required=("projectId", "entryDate"),
        either=("durationSeconds", "duration"),
        output_schema=results.one_or_none(_TIME_ENTRY),
        label=_LABEL,
    ),
    Tool(
        name="update_time_entry",
        title="Change a time entry",
        description=(
            "Changes the fields that are given and leaves the rest as it is; null clears a field. Refused with 409 "
            "once the entry is on an invoice. Owner, Admin and Manager change anyone's, a Member their own (404 for "
            "any other); the token must be one that may write."
        ),
        method="PATCH",
        path="/time-entries/{id}",
        kind=CallKind.WRITE,
        target_type="time_entry",
        arguments={
            "id": _ID,
            **changes(_FIELDS, kept=("projectId", "durationSeconds", "duration", "billable", "entryDate")),
        },
        required=("id",),
        output_schema=results.one_or_none(_TIME_ENTRY),
        label=_LABEL,
    ),
    Tool(
        name="delete_time_entry",
        title="Delete a time entry for good",
        description=(
            "Deletes a time entry permanently; it cannot be restored. Refused with 409 once it is on an invoice. "
            "Owner, Admin and Manager delete anyone's, a Member their own (404 for any other); the token must be one "
            "that may write. The call and the entry as it was are recorded for the workspace's admins. Ask the "
            "user before you call it."
        ),
        method="DELETE",
        path="/time-entries/{id}",
        kind=CallKind.DESTRUCTIVE,
        target_type="time_entry",
        arguments={"id": _ID},
        required=("id",),
        output_schema=results.nothing(),
        label=_LABEL,
    ),
)

UNDO = Undo(
    tool="delete_time_entry",
    by="create_time_entry",
    owner="userId",
    only_with={"startedAt": ("stoppedAt", "The timer was still running. It is not started again.")},
    lost={
        **NEW_RECORD,
        "userId": "The new entry belongs to the member who restores it, so each restores only their own.",
        "invoiceId": "The API cannot put an entry on an invoice.",
    },
    beyond={"anything else": UNSEEN},
    advice={
        "projectId": "The project is gone, or you may not see it. If it was archived, restore it first.",
        "taskId": "The task is gone or belongs to another project. Restore the task first.",
        "conflict": "Hoursmith has locked this time, or another timer is running. Ask an admin in Hoursmith.",
    },
)
