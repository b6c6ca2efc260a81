"""Projects."""

from django.db import models

from hoursmith_console.sandbox.models.clients import Client
from hoursmith_console.sandbox.models.organizations import Person
from hoursmith_console.sandbox.models.records import Record


class ProjectStatus(models.TextChoices):
    """Status of a project; `ARCHIVED` implies `deleted_at`."""

    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    ARCHIVED = "ARCHIVED"


class RateType(models.TextChoices):
    """Billing type of a project."""

    HOURLY = "HOURLY"
    FIXED = "FIXED"
    NON_BILLABLE = "NON_BILLABLE"


class Project(Record):
    """A project for one client. Members see only projects with them in `people`."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="projects")
    people = models.ManyToManyField(Person, related_name="projects")
    name = models.CharField(max_length=200)
    description = models.TextField(null=True)  # noqa: DJ001 – the contract tells null from empty.
    color = models.CharField(max_length=32, null=True)  # noqa: DJ001
    status = models.CharField(max_length=16, choices=ProjectStatus, default=ProjectStatus.ACTIVE)
    rate_type = models.CharField(max_length=16, choices=RateType, default=RateType.HOURLY)
    hourly_rate = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    fixed_fee_amount = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    budget_hours = models.DecimalField(max_digits=9, decimal_places=2, null=True)
    budget_amount = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    start_date = models.DateField(null=True)
    due_date = models.DateField(null=True)

    def __str__(self) -> str:
        return self.name
