"""Invoices: read-only in the API, created by the seed."""

from django.db import models

from hoursmith_console.sandbox.models.clients import Client
from hoursmith_console.sandbox.models.records import Record


class InvoiceStatus(models.TextChoices):
    """Status of an invoice."""

    DRAFT = "DRAFT"
    SENT = "SENT"
    PAID = "PAID"
    CANCELLED = "CANCELLED"


class PaymentStatus(models.TextChoices):
    """Payment status of an invoice."""

    UNPAID = "unpaid"
    PARTIALLY_PAID = "partially_paid"
    PAID = "paid"
    REFUNDED = "refunded"


class Invoice(Record):
    """An invoice. Its time entries and expenses are locked."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="invoices")
    number = models.CharField(max_length=40)
    status = models.CharField(max_length=16, choices=InvoiceStatus, default=InvoiceStatus.DRAFT)
    payment_status = models.CharField(max_length=16, choices=PaymentStatus, default=PaymentStatus.UNPAID)
    subtotal = models.DecimalField(max_digits=14, decimal_places=2)
    discount_amount = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    tax_rate = models.DecimalField(max_digits=5, decimal_places=2, default=0)
    total = models.DecimalField(max_digits=14, decimal_places=2)
    amount_paid = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    currency = models.CharField(max_length=3)
    notes = models.TextField(null=True)  # noqa: DJ001 – the contract tells null from empty.
    bill_to_name = models.CharField(max_length=200, null=True)  # noqa: DJ001
    issue_date = models.DateField(null=True)
    due_date = models.DateField(null=True)
    sent_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)

    class Meta(Record.Meta):
        constraints = [models.UniqueConstraint(fields=["org", "number"], name="sandbox_invoice_number_once")]

    def __str__(self) -> str:
        return self.number
