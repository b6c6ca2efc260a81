"""Clients, the companies that the workspace works for.

Source: the Hoursmith contract, sections 3 (Members have none), 7 (list), 9 (client, delete guard) and 10.
"""

from mcpbridge.models import CallKind
from mcpbridge.tools import results
from mcpbridge.tools.base import Tool
from mcpbridge.tools.fields import changes, currency, days, decimal, flag, idempotency_key, listing, text, uuid, whole
from mcpbridge.tools.undo import NEW_RECORD, UNSEEN, Undo

_ID = uuid("The client's id, as list_clients gives it.")

_FIELDS = {
    "name": text("What the client is called.", least=1, most=200),
    "contactName": text("The person to talk to.", most=200),
    "email": text("The contact's e-mail address.", most=320),
    "phone": text("The contact's telephone number.", most=100),
    "website": text("The client's website.", most=2000),
    "currency": currency("The currency of this client's rates, expenses and invoices: ISO 4217, such as EUR."),
    "notes": text("Notes for the team; the client does not see them.", most=10_000),
    "billingAddress": text("The billing address as one text.", most=2000),
    "billingLine1": text("Billing address, first line.", most=300),
    "billingLine2": text("Billing address, second line.", most=300),
    "billingCity": text("Billing address, city.", most=200),
    "billingRegion": text("Billing address, state or region.", most=200),
    "billingPostalCode": text("Billing address, postal code.", most=40),
    "billingCountry": text("Billing address, country.", most=100),
    "taxNumber": text("The client's tax or VAT number.", most=100),
    "defaultRate": decimal("The hourly rate that new projects of this client begin with."),
    "defaultPaymentTerms": whole("Days that the client has to pay an invoice.", least=0, most=3650),
    "defaultTaxRate": decimal("The tax rate of this client's invoices, in percent."),
    "requirePoNumber": flag("Whether invoices to this client need a purchase order number."),
    "billingEmail": text("Where invoices go, if not to the contact.", most=320),
}

_CLIENT = results.record(
    {
        "id": results.string(),
        "orgId": results.string(),
        "name": results.string(),
        "contactName": results.maybe(),
        "email": results.maybe(),
        "phone": results.maybe(),
        "website": results.maybe(),
        "currency": results.maybe("ISO 4217, such as EUR."),
        "notes": results.maybe(),
        "billingAddress": results.maybe(),
        "billingLine1": results.maybe(),
        "billingLine2": results.maybe(),
        "billingCity": results.maybe(),
        "billingRegion": results.maybe(),
        "billingPostalCode": results.maybe(),
        "billingCountry": results.maybe(),
        "taxNumber": results.maybe(),
        "defaultRate": results.money("Hourly rate, a decimal string."),
        "defaultPaymentTerms": results.number("Days to pay."),
        "defaultTaxRate": results.number("Percent."),
        "requirePoNumber": results.boolean(),
        "billingEmail": results.maybe(),
        **results.stamps(),
    }
)

TOOLS = (
    Tool(
        name="list_clients",
        title="List clients",
        description=(
            "Lists the workspace's clients, one page at a time, newest first unless sort says otherwise. Archived "
            "ones are left out. For Owner, Admin and Manager; a Member is refused with 403."
        ),
        method="GET",
        path="/clients",
        kind=CallKind.READ,
        target_type="client",
        arguments=listing(
            {},
            search="name, contact name or e-mail",
            sort=("createdAt", "id", "name", "updatedAt"),
            ranges=days("createdAt", "updatedAt"),
        ),
        output_schema=results.page(_CLIENT),
    ),
    Tool(
        name="get_client",
        title="Show a client",
        description=(
            "Shows one client with contact, billing address, rates and payment terms. For Owner, Admin and Manager; "
            "a Member is refused with 403. An id that does not exist here answers 404."
        ),
        method="GET",
        path="/clients/{id}",
        kind=CallKind.READ,
        target_type="client",
        arguments={"id": _ID},
        required=("id",),
        output_schema=results.one(_CLIENT),
        label=("name",),
    ),
    Tool(
        name="create_client",
        title="Create a client",
        description=(
            "Creates a client; only the name is needed. Look with list_clients first whether there is one already. "
            "For Owner, Admin and Manager with a token that may write."
        ),
        method="POST",
        path="/clients",
        kind=CallKind.WRITE,
        target_type="client",
        arguments={**_FIELDS, "idempotencyKey": idempotency_key()},
        required=("name",),
        output_schema=results.one_or_none(_CLIENT),
        label=("name",),
    ),
    Tool(
        name="update_client",
        title="Change a client",
        description=(
            "Changes the fields that are given and leaves the rest as it is; null clears a field. For Owner, Admin "
            "and Manager with a token that may write."
        ),
        method="PATCH",
        path="/clients/{id}",
        kind=CallKind.WRITE,
        target_type="client",
        arguments={"id": _ID, **changes(_FIELDS, kept=("name", "requirePoNumber"))},
        required=("id",),
        output_schema=results.one_or_none(_CLIENT),
        label=("name",),
    ),
    Tool(
        name="delete_client",
        title="Delete a client for good",
        description=(
            "Deletes a client permanently; it cannot be restored. Refused with 409 while it has active projects or "
            "any invoices. For Owner, Admin and Manager with a token that may write. The call and the client as it "
            "was are recorded for the workspace's admins. Ask the user before you call it."
        ),
        method="DELETE",
        path="/clients/{id}",
        kind=CallKind.DESTRUCTIVE,
        target_type="client",
        arguments={"id": _ID},
        required=("id",),
        output_schema=results.nothing(),
        label=("name",),
    ),
)

UNDO = Undo(
    tool="delete_client",
    by="create_client",
    lost=NEW_RECORD,
    beyond={
        "projects and expenses": (
            "Archived projects and expenses stay with the deleted client. Move them to the new one in Hoursmith."
        ),
        "anything else": UNSEEN,
    },
)
