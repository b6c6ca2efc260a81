"""Time entries."""

from django.db import models

from hoursmith_console.sandbox.models.invoices import Invoice
from hoursmith_console.sandbox.models.organizations import Person
from hoursmith_console.sandbox.models.projects import Project
from hoursmith_console.sandbox.models.records import Record
from hoursmith_console.sandbox.models.tasks import Task

RUNNING = models.Q(started_at__isnull=False, stopped_at__isnull=True)


class TimeEntry(Record):
    """Time of a user on a project. Started and not stopped, it is a running timer; a user has at most one."""

    org = models.ForeignKey("sandbox.Organization", on_delete=models.CASCADE, related_name="time_entries")
    user = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="time_entries")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="time_entries")
    task = models.ForeignKey(Task, on_delete=models.SET_NULL, null=True, related_name="time_entries")
    invoice = models.ForeignKey(Invoice, on_delete=models.SET_NULL, null=True, related_name="time_entries")
    duration_seconds = models.PositiveIntegerField(default=0)
    billable = models.BooleanField(default=True)
    note = models.TextField(null=True)  # noqa: DJ001 – the contract tells null from empty.
    entry_date = models.DateField()
    started_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)

    class Meta(Record.Meta):
        indexes = [
            *Record.Meta.indexes,
            models.Index(fields=["org", "user", "created_at", "id"], name="timeentry_by_person"),
            models.Index(fields=["org", "entry_date", "id"], name="timeentry_by_day"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["org", "user"],
                condition=RUNNING & models.Q(deleted_at__isnull=True),
                name="sandbox_one_running_timer",
            )
        ]

    def __str__(self) -> str:
        return self.note or f"{self.duration_seconds} s on {self.entry_date}"
