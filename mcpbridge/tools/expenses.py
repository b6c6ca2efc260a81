"""Expenses, money spent for a client.

Source: the Hoursmith contract, sections 3 (Members have none), 7 (list), 9 (expense, invoice lock) and 10.
"""

from mcpbridge.models import CallKind
from mcpbridge.tools import results
from mcpbridge.tools.base import Tool
from mcpbridge.tools.fields import (
    amounts,
    changes,
    choice,
    date,
    days,
    decimal,
    flag,
    idempotency_key,
    listing,
    text,
    uuid,
)
from mcpbridge.tools.undo import NEW_RECORD, UNSEEN, Undo

_ID = uuid("The expense's id, as list_expenses gives it.")
_CATEGORIES = ("TRAVEL", "MEALS", "SOFTWARE", "EQUIPMENT", "CONTRACTORS", "OTHER")

_FIELDS = {
    "clientId": uuid("The client it was spent for, as list_clients gives it."),
    "projectId": uuid("The project it was spent for; one of the same client."),
    "category": choice("What kind of expense it is.", _CATEGORIES, default="OTHER"),
    "customCategory": text("The workspace's own word for the kind of expense.", most=200),
    "description": text("What the money was spent on.", least=1, most=500),
    "amount": decimal("How much, in the client's currency, above 0.", decimals=2, above_zero=True),
    "billable": flag("Whether the client is charged for it.", default=True),
    "expenseDate": date("The day the money was spent."),
}

_EXPENSE = results.record(
    {
        "id": results.string(),
        "orgId": results.string(),
        "clientId": results.string(),
        "projectId": results.maybe(),
        "invoiceId": results.maybe("Once set, no one can change or delete the expense."),
        "category": results.string(f"{', '.join(_CATEGORIES)}."),
        "customCategory": results.maybe(),
        "description": results.string(),
        "amount": results.money(),
        "currency": results.maybe("The client's, ISO 4217."),
        "billable": results.boolean(),
        "expenseDate": results.string("YYYY-MM-DD."),
        **results.stamps(),
    }
)

TOOLS = (
    Tool(
        name="list_expenses",
        title="List expenses",
        description=(
            "Lists expenses, one page at a time, newest first unless sort says otherwise. For Owner, Admin and "
            "Manager; a Member is refused with 403. For totals, read every page: there are no sums."
        ),
        method="GET",
        path="/expenses",
        kind=CallKind.READ,
        target_type="expense",
        arguments=listing(
            {
                "clientId": uuid("Only expenses for this client."),
                "clientName": text("Only expenses for clients whose name holds this text.", most=200),
                "projectId": uuid("Only expenses for this project."),
                "category": choice("Only expenses of this kind.", _CATEGORIES),
                "billable": flag("Only expenses that the client is charged for, or only those that not."),
            },
            search="description or custom category",
            sort=("amount", "createdAt", "expenseDate", "id", "updatedAt"),
            ranges={**days("expenseDate", "createdAt"), **amounts("amount")},
        ),
        output_schema=results.page(_EXPENSE),
    ),
    Tool(
        name="get_expense",
        title="Show an expense",
        description=(
            "Shows one expense. For Owner, Admin and Manager; a Member is refused with 403. An id that does not "
            "exist here answers 404."
        ),
        method="GET",
        path="/expenses/{id}",
        kind=CallKind.READ,
        target_type="expense",
        arguments={"id": _ID},
        required=("id",),
        output_schema=results.one(_EXPENSE),
        label=("description",),
    ),
    Tool(
        name="create_expense",
        title="Record an expense",
        description=(
            "Records money spent for a client. The currency is the client's and cannot be given. For Owner, Admin "
            "and Manager with a token that may write; a Member is refused with 403."
        ),
        method="POST",
        path="/expenses",
        kind=CallKind.WRITE,
        target_type="expense",
        arguments={**_FIELDS, "idempotencyKey": idempotency_key()},
        required=("clientId", "description", "amount", "expenseDate"),
        output_schema=results.one_or_none(_EXPENSE),
        label=("description",),
    ),
    Tool(
        name="update_expense",
        title="Change an expense",
        description=(
            "Changes the fields that are given and leaves the rest as it is; null clears a field. Refused with 409 "
            "once the expense is on an invoice. For Owner, Admin and Manager with a token that may write; a Member "
            "is refused with 403."
        ),
        method="PATCH",
        path="/expenses/{id}",
        kind=CallKind.WRITE,
        target_type="expense",
        arguments={
            "id": _ID,
            **changes(_FIELDS, kept=("clientId", "category", "description", "amount", "billable", "expenseDate")),
        },
        required=("id",),
        output_schema=results.one_or_none(_EXPENSE),
        label=("description",),
    ),
    Tool(
        name="delete_expense",
        title="Delete an expense for good",
        description=(
            "Deletes an expense permanently; it cannot be restored. Refused with 409 once it is on an invoice. For "
            "Owner, Admin and Manager with a token that may write; a Member is refused with 403. The call and the "
            "expense as it was are recorded for the workspace's admins. Ask the user before you call it."
        ),
        method="DELETE",
        path="/expenses/{id}",
        kind=CallKind.DESTRUCTIVE,
        target_type="expense",
        arguments={"id": _ID},
        required=("id",),
        output_schema=results.nothing(),
        label=("description",),
    ),
)

UNDO = Undo(
    tool="delete_expense",
    by="create_expense",
    lost={
        **NEW_RECORD,
        "invoiceId": "The API cannot put an expense on an invoice.",
        "currency": "Hoursmith takes the currency that the client has now.",
    },
    beyond={"anything else": UNSEEN},
    advice={
        "clientId": "The client was deleted. Restore it first; it gets a new id, so enter this expense in Hoursmith.",
        "projectId": "The project is gone or belongs to another client. Enter this expense in Hoursmith.",
        "conflict": "Hoursmith has locked this expense. Ask an admin in Hoursmith.",
    },
)
