"""Clients: full access for staff, none for Members."""

from typing import cast

from django.db.models import QuerySet

from hoursmith_console.sandbox.api.auth_context import AuthContext
from hoursmith_console.sandbox.api.errors import ConflictError
from hoursmith_console.sandbox.api.fields import IDENTITY, STAMPS, Field
from hoursmith_console.sandbox.api.formats.numbers import MONEY, PERCENT, Integer
from hoursmith_console.sandbox.api.formats.times import INSTANT
from hoursmith_console.sandbox.api.lists import Listing
from hoursmith_console.sandbox.api.resource import Resource
from hoursmith_console.sandbox.api.values import BOOLEAN, CURRENCY, EMAIL, ID, Text
from hoursmith_console.sandbox.models import Client

NAME = Text(200, minimum=1)


class Clients(Resource[Client]):
    noun, plural, path, schema = "client", "clients", "/clients", "Client"
    model = Client
    fields = (
        *IDENTITY,
        Field("name", NAME, required=True),
        Field("contactName", Text(200)),
        Field("email", EMAIL),
        Field("phone", Text(100)),
        Field("website", Text(2000)),
        Field("currency", CURRENCY),
        Field("notes", Text(10_000)),
        Field("billingAddress", Text(2000)),
        Field("billingLine1", Text(300)),
        Field("billingLine2", Text(300)),
        Field("billingCity", Text(200)),
        Field("billingRegion", Text(200)),
        Field("billingPostalCode", Text(40)),
        Field("billingCountry", Text(100)),
        Field("taxNumber", Text(100)),
        Field("defaultRate", MONEY),
        Field("defaultPaymentTerms", Integer(0, 3650)),
        Field("defaultTaxRate", PERCENT),
        Field("requirePoNumber", BOOLEAN, default=False),
        Field("billingEmail", EMAIL),
        *STAMPS,
    )
    listing = Listing(
        sorts={"createdAt": INSTANT, "id": ID, "name": NAME, "updatedAt": INSTANT},
        search=("name", "contact_name", "email"),
        ranges={"createdAt": INSTANT, "updatedAt": INSTANT},
    )

    def visible(self, auth: AuthContext) -> QuerySet[Client]:
        return super().visible(auth).filter(deleted_at__isnull=True)

    def guard_delete(self, row: Client) -> None:
        if row.projects.filter(deleted_at__isnull=True).exists():
            raise ConflictError("The client has active projects. Archive them first.")
        if row.invoices.exists():
            raise ConflictError("The client has invoices.")


CLIENTS = Clients()
OPERATIONS = (
    CLIENTS.list_operation(),
    CLIENTS.get_operation(),
    CLIENTS.create_operation(),
    CLIENTS.change_operation(),
    CLIENTS.delete_operation(),
)


def find_client(values: dict[str, object], auth: AuthContext, faults: dict[str, str]) -> Client | None:
    """Return the client that `values` refer to, or None; add an error if the caller may not see it."""
    if "client_id" not in values:
        return None
    client = CLIENTS.visible(auth).filter(pk=cast(str, values["client_id"])).first()
    if client is None:
        faults["clientId"] = "there is no such client"
    return client
