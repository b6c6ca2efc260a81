"""Tasks."""

import uuid

from django.db import models

from hoursmith_console.sandbox.models.organizations import Person
from hoursmith_console.sandbox.models.projects import Project
from hoursmith_console.sandbox.models.records import Record


class TaskStatus(models.TextChoices):
    """Status of a task."""

    TODO = "TODO"
    IN_PROGRESS = "IN_PROGRESS"
    DONE = "DONE"


class Priority(models.TextChoices):
    """Priority, from lowest to highest."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class Task(Record):
    """A task of a project, with any number of assignees."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tasks")
    assignees = models.ManyToManyField(Person, related_name="tasks")
    name = models.CharField(max_length=200)
    description = models.TextField(null=True)  # noqa: DJ001 – the contract tells null from empty.
    status = models.CharField(max_length=16, choices=TaskStatus, default=TaskStatus.TODO)
    priority = models.CharField(max_length=16, choices=Priority, default=Priority.MEDIUM)
    billable = models.BooleanField(default=True)
    estimated_hours = models.DecimalField(max_digits=9, decimal_places=2, null=True)
    tags = models.JSONField(default=list)
    start_date = models.DateField(null=True)
    due_date = models.DateField(null=True)
    end_date = models.DateField(null=True)

    def __str__(self) -> str:
        return self.name

    @property
    def assignee_ids(self) -> list[uuid.UUID]:
        """Return the assignees' ids in a stable order; no query if they were prefetched."""
        return sorted(person.pk for person in self.assignees.all())
