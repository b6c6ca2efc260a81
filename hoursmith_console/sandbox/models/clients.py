"""Clients of the workspace."""

from django.db import models

from hoursmith_console.sandbox.models.records import Record


class Client(Record):
    """A client with billing details."""

    name = models.CharField(max_length=200)
    contact_name = models.CharField(max_length=200, null=True)  # noqa: DJ001 – the contract tells null from empty.
    email = models.CharField(max_length=320, null=True)  # noqa: DJ001
    phone = models.CharField(max_length=100, null=True)  # noqa: DJ001
    website = models.CharField(max_length=2000, null=True)  # noqa: DJ001
    currency = models.CharField(max_length=3, null=True)  # noqa: DJ001
    notes = models.TextField(null=True)  # noqa: DJ001
    billing_address = models.TextField(null=True)  # noqa: DJ001
    billing_line1 = models.CharField(max_length=300, null=True)  # noqa: DJ001
    billing_line2 = models.CharField(max_length=300, null=True)  # noqa: DJ001
    billing_city = models.CharField(max_length=200, null=True)  # noqa: DJ001
    billing_region = models.CharField(max_length=200, null=True)  # noqa: DJ001
    billing_postal_code = models.CharField(max_length=40, null=True)  # noqa: DJ001
    billing_country = models.CharField(max_length=100, null=True)  # noqa: DJ001
    tax_number = models.CharField(max_length=100, null=True)  # noqa: DJ001
    default_rate = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    default_payment_terms = models.PositiveIntegerField(null=True)
    default_tax_rate = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    require_po_number = models.BooleanField(default=False)
    billing_email = models.CharField(max_length=320, null=True)  # noqa: DJ001

    def __str__(self) -> str:
        return self.name
