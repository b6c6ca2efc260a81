"""Expenses."""

from django.db import models

from hoursmith_console.sandbox.models.clients import Client
from hoursmith_console.sandbox.models.invoices import Invoice
from hoursmith_console.sandbox.models.projects import Project
from hoursmith_console.sandbox.models.records import Record


class Category(models.TextChoices):
    """Category of an expense."""

    TRAVEL = "TRAVEL"
    MEALS = "MEALS"
    SOFTWARE = "SOFTWARE"
    EQUIPMENT = "EQUIPMENT"
    CONTRACTORS = "CONTRACTORS"
    OTHER = "OTHER"


class Expense(Record):
    """An expense, in the client's currency."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="expenses")
    project = models.ForeignKey(Project, on_delete=models.SET_NULL, null=True, related_name="expenses")
    invoice = models.ForeignKey(Invoice, on_delete=models.SET_NULL, null=True, related_name="expenses")
    category = models.CharField(max_length=16, choices=Category, default=Category.OTHER)
    custom_category = models.CharField(max_length=200, null=True)  # noqa: DJ001 – the contract tells null from empty.
    description = models.CharField(max_length=500)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=3)
    billable = models.BooleanField(default=True)
    expense_date = models.DateField()

    def __str__(self) -> str:
        return self.description
