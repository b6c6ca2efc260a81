"""Expenses and invoices of the demo workspace, in every status, with some locked time entries and expenses."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal

from hoursmith_console.sandbox.models import (
    Category,
    Client,
    Expense,
    Invoice,
    InvoiceStatus,
    Organization,
    PaymentStatus,
    Project,
    RateType,
    TimeEntry,
)
from hoursmith_console.sandbox.seed.seeded_random import SeededRandom

EXPENSES = 80
_CENT = Decimal("0.01")
_SPENT = {
    Category.TRAVEL: ("Train to the workshop", "Taxi from the station", "Flight"),
    Category.MEALS: ("Lunch with the client", "Coffee for the workshop"),
    Category.SOFTWARE: ("Stock photos", "Font licence", "Hosting, one month"),
    Category.EQUIPMENT: ("Test phone", "Microphone"),
    Category.CONTRACTORS: ("Illustrator", "Voice-over", "Translation"),
    Category.OTHER: ("Printing", "Courier"),
}
# By the number of months since the work.
_ENDINGS: dict[int, tuple[tuple[InvoiceStatus, PaymentStatus], ...]] = {
    1: ((InvoiceStatus.DRAFT, PaymentStatus.UNPAID), (InvoiceStatus.SENT, PaymentStatus.UNPAID)),
    2: ((InvoiceStatus.SENT, PaymentStatus.PARTIALLY_PAID), (InvoiceStatus.SENT, PaymentStatus.UNPAID)),
    3: ((InvoiceStatus.PAID, PaymentStatus.PAID), (InvoiceStatus.CANCELLED, PaymentStatus.UNPAID)),
    4: ((InvoiceStatus.PAID, PaymentStatus.PAID), (InvoiceStatus.CANCELLED, PaymentStatus.REFUNDED)),
}


def draft_expenses(
    *, org: Organization, clients: Sequence[Client], projects: Sequence[Project], now: datetime
) -> list[Expense]:
    """Return unsaved expenses of the last six months."""
    rng = SeededRandom("expenses")
    by_client: dict[uuid.UUID, list[Project]] = defaultdict(list)
    for project in projects:
        by_client[project.client_id].append(project)
    made = []
    for _ in range(EXPENSES):
        client = rng.choice(clients)
        category = rng.choice(Category.values)
        at = rng.moment(now - timedelta(days=rng.randrange(1, 180)))
        made.append(
            Expense(
                id=rng.uuid(),
                org=org,
                client=client,
                project=rng.choice(by_client[client.pk]) if rng.random() < 0.7 else None,
                category=category,
                custom_category="Print shop" if category == Category.OTHER and rng.random() < 0.5 else None,
                description=rng.choice(_SPENT[Category(category)]),
                amount=Decimal(rng.randrange(500, 90_000)) / 100,
                currency=client.currency or org.default_currency,
                billable=rng.random() < 0.8,
                expense_date=at.date(),
                created_at=at,
                updated_at=at,
            )
        )
    return made


def draft_invoices(
    *,
    org: Organization,
    clients: Sequence[Client],
    entries: Sequence[TimeEntry],
    expenses: Sequence[Expense],
    now: datetime,
) -> list[Invoice]:
    """Return unsaved invoices for the last months, and link their time entries and expenses to them."""
    made: list[Invoice] = []
    for ago, endings in sorted(_ENDINGS.items(), reverse=True):
        first, last = now - timedelta(days=30 * (ago + 1)), now - timedelta(days=30 * ago)
        for number, client in enumerate(clients):
            status, payment = endings[number % len(endings)]
            invoice = _invoice(org, client, status, payment, last, number=len(made) + 1)
            period = (first.date(), last.date())
            time_lines = [
                entry
                for entry in entries
                if entry.project.client_id == client.pk
                and entry.billable
                and entry.project.rate_type == RateType.HOURLY
                and period[0] <= entry.entry_date < period[1]
            ]
            cost_lines = [
                expense
                for expense in expenses
                if expense.client_id == client.pk and expense.billable and period[0] <= expense.expense_date < period[1]
            ]
            _set_amounts(invoice, client, time_lines, cost_lines)
            made.append(invoice)
    return made


def _invoice(
    org: Organization, client: Client, status: InvoiceStatus, payment: PaymentStatus, day: datetime, *, number: int
) -> Invoice:
    issued = datetime.combine(day.date(), time(9, number % 60), UTC)
    terms = timedelta(days=client.default_payment_terms or 14)
    was_sent = status != InvoiceStatus.DRAFT
    was_paid = payment in (PaymentStatus.PAID, PaymentStatus.REFUNDED)
    paid = issued + terms - timedelta(days=3)
    return Invoice(
        id=SeededRandom(f"invoice {number}").uuid(),
        org=org,
        client=client,
        number=f"{org.invoice_prefix}{number:04d}",
        status=status,
        payment_status=payment,
        tax_rate=client.default_tax_rate or Decimal(0),
        currency=client.currency or org.default_currency,
        notes="Thank you for working with us." if number % 3 == 0 else None,
        bill_to_name=client.name,
        issue_date=issued.date() if was_sent else None,
        due_date=(issued + terms).date() if was_sent else None,
        sent_at=issued + timedelta(minutes=20) if was_sent else None,
        paid_at=paid if was_paid else None,
        created_at=issued,
        updated_at=paid if was_paid else issued,
    )


def _set_amounts(invoice: Invoice, client: Client, entries: Sequence[TimeEntry], expenses: Sequence[Expense]) -> None:
    hours = sum((Decimal(entry.duration_seconds) / 3600 * _rate(entry, client) for entry in entries), Decimal(0))
    costs = sum((expense.amount for expense in expenses), Decimal(0))
    invoice.subtotal = _cents(hours + costs)
    invoice.discount_amount = _cents(invoice.subtotal / 20) if invoice.subtotal > 4000 else Decimal(0)
    net = invoice.subtotal - invoice.discount_amount
    invoice.total = _cents(net * (100 + invoice.tax_rate) / 100)
    if invoice.payment_status == PaymentStatus.PAID:
        invoice.amount_paid = invoice.total
    elif invoice.payment_status == PaymentStatus.PARTIALLY_PAID:
        invoice.amount_paid = _cents(invoice.total / 2)
    if invoice.status != InvoiceStatus.CANCELLED:
        # A cancelled invoice has no entries.
        for entry in entries:
            entry.invoice = invoice
        for expense in expenses:
            expense.invoice = invoice


def _rate(entry: TimeEntry, client: Client) -> Decimal:
    return entry.project.hourly_rate or client.default_rate or Decimal(0)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, rounding=ROUND_HALF_UP)
