"""Invoices, which are read here and made in Hoursmith.

Source: the Hoursmith contract, sections 3 (Members have none), 7 (list), 9 (invoice) and 10.
"""

from mcpbridge.models import Kind
from mcpbridge.tools import shapes
from mcpbridge.tools.arguments import amounts, choice, days, listing, text, uuid
from mcpbridge.tools.declaration import Tool

_INVOICE = shapes.record(
    {
        "id": shapes.string(),
        "orgId": shapes.string(),
        "clientId": shapes.string(),
        "number": shapes.maybe("What it is called on paper."),
        "status": shapes.string("DRAFT, SENT, PAID or CANCELLED."),
        "paymentStatus": shapes.string("unpaid, partially_paid, paid or refunded."),
        "subtotal": shapes.money(),
        "discountAmount": shapes.money(),
        "taxRate": shapes.number("Percent."),
        "total": shapes.money(),
        "amountPaid": shapes.money(),
        "currency": shapes.maybe("ISO 4217, such as EUR."),
        "notes": shapes.maybe(),
        "billToName": shapes.maybe(),
        "issueDate": shapes.maybe("YYYY-MM-DD."),
        "dueDate": shapes.maybe("YYYY-MM-DD."),
        "sentAt": shapes.maybe(),
        "paidAt": shapes.maybe(),
        **shapes.stamps(),
    }
)

TOOLS = (
    Tool(
        name="list_invoices",
        title="List invoices",
        description=(
            "Lists invoices, one page at a time, newest first unless sort says otherwise. For Owner, Admin and "
            "Manager; a Member is refused with 403. Nothing here makes, changes or sends one."
        ),
        method="GET",
        path="/invoices",
        kind=Kind.READ,
        target_type="invoice",
        arguments=listing(
            {
                "clientId": uuid("Only invoices to this client."),
                "clientName": text("Only invoices to clients whose name holds this text.", most=200),
                "status": choice("Only invoices with this status.", ("DRAFT", "SENT", "PAID", "CANCELLED")),
                "paymentStatus": choice(
                    "Only invoices paid to this degree.", ("unpaid", "partially_paid", "paid", "refunded")
                ),
            },
            search="number",
            sort=(
                "amountPaid",
                "createdAt",
                "dueDate",
                "id",
                "issueDate",
                "number",
                "paidAt",
                "paymentStatus",
                "sentAt",
                "status",
                "total",
                "updatedAt",
            ),
            ranges={
                **days("issueDate", "dueDate", "sentAt", "paidAt", "createdAt"),
                **amounts("total", "amountPaid"),
            },
        ),
        output_schema=shapes.page(_INVOICE),
    ),
    Tool(
        name="get_invoice",
        title="Show an invoice",
        description=(
            "Shows one invoice with its sums, dates and payment status. For Owner, Admin and Manager; a Member is "
            "refused with 403. An id that does not exist here answers 404."
        ),
        method="GET",
        path="/invoices/{id}",
        kind=Kind.READ,
        target_type="invoice",
        arguments={"id": uuid("The invoice's id, as list_invoices gives it.")},
        required=("id",),
        output_schema=shapes.one(_INVOICE),
        label=("number",),
    ),
)
