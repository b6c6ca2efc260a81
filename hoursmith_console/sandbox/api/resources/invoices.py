"""Invoices: read-only for staff, no access for Members."""

from hoursmith_console.sandbox.api.fields import IDENTITY, STAMPS, fixed
from hoursmith_console.sandbox.api.formats.numbers import MONEY, PERCENT
from hoursmith_console.sandbox.api.formats.times import DAY, INSTANT
from hoursmith_console.sandbox.api.lists import Filter, Listing, PartialFilter
from hoursmith_console.sandbox.api.resource import Resource
from hoursmith_console.sandbox.api.values import CURRENCY, ID, Choice, Text
from hoursmith_console.sandbox.models import Invoice, InvoiceStatus, PaymentStatus

NUMBER = Text(40, minimum=1)
STATUS = Choice(InvoiceStatus.values)
PAYMENT_STATUS = Choice(PaymentStatus.values)


class Invoices(Resource[Invoice]):
    noun, plural, path, schema = "invoice", "invoices", "/invoices", "Invoice"
    model = Invoice
    fields = (
        *IDENTITY,
        fixed("clientId"),
        fixed("number", NUMBER),
        fixed("status", STATUS),
        fixed("paymentStatus", PAYMENT_STATUS),
        fixed("subtotal", MONEY),
        fixed("discountAmount", MONEY),
        fixed("taxRate", PERCENT),
        fixed("total", MONEY),
        fixed("amountPaid", MONEY),
        fixed("currency", CURRENCY),
        fixed("notes", Text(10_000), nullable=True),
        fixed("billToName", Text(200), nullable=True),
        fixed("issueDate", DAY, nullable=True),
        fixed("dueDate", DAY, nullable=True),
        fixed("sentAt", INSTANT, nullable=True),
        fixed("paidAt", INSTANT, nullable=True),
        *STAMPS,
    )
    listing = Listing(
        sorts={
            "amountPaid": MONEY,
            "createdAt": INSTANT,
            "dueDate": DAY,
            "id": ID,
            "issueDate": DAY,
            "number": NUMBER,
            "paidAt": INSTANT,
            "paymentStatus": PAYMENT_STATUS,
            "sentAt": INSTANT,
            "status": STATUS,
            "total": MONEY,
            "updatedAt": INSTANT,
        },
        search=("number",),
        filters=(
            Filter("clientId", ID),
            PartialFilter("clientName", "client__name"),
            Filter("status", STATUS),
            Filter("paymentStatus", PAYMENT_STATUS),
        ),
        ranges={
            "issueDate": DAY,
            "dueDate": DAY,
            "sentAt": INSTANT,
            "paidAt": INSTANT,
            "createdAt": INSTANT,
            "total": MONEY,
            "amountPaid": MONEY,
        },
    )


INVOICES = Invoices()
OPERATIONS = (INVOICES.list_operation(), INVOICES.get_operation())
