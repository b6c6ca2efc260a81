"""Invoices, which are read here and made in Hoursmith.

Source: the Hoursmith contract, sections 3 (Members have none), 7 (list), 9 (invoice) and 10.
"""

from mcpbridge.models import CallKind
from mcpbridge.tools import results
from mcpbridge.tools.base import Tool
from mcpbridge.tools.fields import amounts, choice, days, listing, text, uuid

_INVOICE = results.record(
    {
        "id": results.string(),
        "orgId": results.string(),
        "clientId": results.string(),
        "number": results.maybe("What it is called on paper."),
        "status": results.string("DRAFT, SENT, PAID or CANCELLED."),
        "paymentStatus": results.string("unpaid, partially_paid, paid or refunded."),
        "subtotal": results.money(),
        "discountAmount": results.money(),
        "taxRate": results.number("Percent."),
        "total": results.money(),
        "amountPaid": results.money(),
        "currency": results.maybe("ISO 4217, such as EUR."),
        "notes": results.maybe(),
        "billToName": results.maybe(),
        "issueDate": results.maybe("YYYY-MM-DD."),
        "dueDate": results.maybe("YYYY-MM-DD."),
        "sentAt": results.maybe(),
        "paidAt": results.maybe(),
        **results.stamps(),
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
        kind=CallKind.READ,
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
        output_schema=results.page(_INVOICE),
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
        kind=CallKind.READ,
        target_type="invoice",
        arguments={"id": uuid("The invoice's id, as list_invoices gives it.")},
        required=("id",),
        output_schema=results.one(_INVOICE),
        label=("number",),
    ),
)
