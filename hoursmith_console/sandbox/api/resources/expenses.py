"""Expenses: full access for staff, none for Members; invoiced ones are locked."""

from django.db.models import QuerySet

from hoursmith_console.sandbox.api.auth_context import AuthContext
from hoursmith_console.sandbox.api.errors import ConflictError
from hoursmith_console.sandbox.api.fields import IDENTITY, STAMPS, Field, fixed
from hoursmith_console.sandbox.api.formats.numbers import SPENT
from hoursmith_console.sandbox.api.formats.times import DAY, INSTANT
from hoursmith_console.sandbox.api.lists import Filter, Listing, PartialFilter
from hoursmith_console.sandbox.api.operations import RequestContext
from hoursmith_console.sandbox.api.resource import Resource
from hoursmith_console.sandbox.api.resources.clients import find_client
from hoursmith_console.sandbox.api.resources.projects import find_project
from hoursmith_console.sandbox.api.values import BOOLEAN, CURRENCY, ID, Choice, Text
from hoursmith_console.sandbox.models import Category, Expense

CATEGORY = Choice(Category.values)


class Expenses(Resource[Expense]):
    noun, plural, path, schema = "expense", "expenses", "/expenses", "Expense"
    model = Expense
    fields = (
        *IDENTITY,
        Field("clientId", ID, required=True),
        Field("projectId", ID),
        fixed("invoiceId", nullable=True),
        Field("category", CATEGORY, default=Category.OTHER),
        Field("customCategory", Text(200)),
        Field("description", Text(500, minimum=1), required=True),
        Field("amount", SPENT, required=True),
        fixed("currency", CURRENCY),
        Field("billable", BOOLEAN, default=True),
        Field("expenseDate", DAY, required=True),
        *STAMPS,
    )
    listing = Listing(
        sorts={"amount": SPENT, "createdAt": INSTANT, "expenseDate": DAY, "id": ID, "updatedAt": INSTANT},
        search=("description", "custom_category"),
        filters=(
            Filter("clientId", ID),
            PartialFilter("clientName", "client__name"),
            Filter("projectId", ID),
            Filter("billable", BOOLEAN),
            Filter("category", CATEGORY),
        ),
        ranges={"expenseDate": DAY, "createdAt": INSTANT, "amount": SPENT},
    )

    def visible(self, auth: AuthContext) -> QuerySet[Expense]:
        return super().visible(auth).filter(deleted_at__isnull=True)

    def check(self, row: Expense, context: RequestContext, faults: dict[str, str]) -> None:
        client = find_client(context.values, context.auth, faults)
        if client is not None:
            row.currency = client.currency or context.auth.org.default_currency
        find_project(context.values, context.auth, faults)
        if faults or row.project_id is None or {"client_id", "project_id"}.isdisjoint(context.values):
            return
        if row.project is not None and row.project.client_id != row.client_id:
            faults["projectId"] = "must be a project of the client"

    def guard_change(self, row: Expense, context: RequestContext) -> None:
        self.guard_delete(row)

    def guard_delete(self, row: Expense) -> None:
        if row.invoice_id is not None:
            raise ConflictError("The expense is on an invoice and can no longer be changed.")


EXPENSES = Expenses()
OPERATIONS = (
    EXPENSES.list_operation(),
    EXPENSES.get_operation(),
    EXPENSES.create_operation(),
    EXPENSES.change_operation(),
    EXPENSES.delete_operation(),
)
