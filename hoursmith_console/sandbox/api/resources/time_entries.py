"""Time entries: full access for staff, Members only to their own; invoiced ones are locked."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from django.db.models import QuerySet

from hoursmith_console.sandbox.api.auth_context import EVERYONE, AuthContext
from hoursmith_console.sandbox.api.errors import ConflictError
from hoursmith_console.sandbox.api.fields import IDENTITY, STAMPS, Field, fixed
from hoursmith_console.sandbox.api.formats.durations import LONGEST_S, Duration
from hoursmith_console.sandbox.api.formats.numbers import Integer
from hoursmith_console.sandbox.api.formats.times import DAY, INSTANT
from hoursmith_console.sandbox.api.lists import BooleanFilter, Filter, Listing
from hoursmith_console.sandbox.api.operations import Operation, RequestContext, Shape
from hoursmith_console.sandbox.api.resource import Resource
from hoursmith_console.sandbox.api.resources.projects import find_project
from hoursmith_console.sandbox.api.resources.tasks import TASKS
from hoursmith_console.sandbox.api.values import BOOLEAN, ID, Text
from hoursmith_console.sandbox.models import TimeEntry
from hoursmith_console.sandbox.models.time_entries import RUNNING

SECONDS = Integer(0, LONGEST_S)


class TimeEntries(Resource[TimeEntry]):
    noun, plural, path, schema = "time_entry", "time_entries", "/time-entries", "TimeEntry"
    model = TimeEntry
    readers = EVERYONE
    writers = EVERYONE
    fields = (
        *IDENTITY,
        fixed("userId"),
        Field("projectId", ID, required=True),
        Field("taskId", ID),
        fixed("invoiceId", nullable=True),
        Field("durationSeconds", SECONDS, nullable=False),
        Field("duration", Duration(), nullable=False, write_only=True),
        Field("billable", BOOLEAN, default=True),
        Field("note", Text(5000)),
        Field("entryDate", DAY, required=True),
        Field("startedAt", INSTANT),
        Field("stoppedAt", INSTANT),
        *STAMPS,
    )
    listing = Listing(
        sorts={
            "createdAt": INSTANT,
            "durationSeconds": SECONDS,
            "entryDate": DAY,
            "id": ID,
            "updatedAt": INSTANT,
        },
        search=("note",),
        filters=(
            Filter("projectId", ID),
            Filter("taskId", ID),
            Filter("userId", ID),
            Filter("billable", BOOLEAN),
            BooleanFilter("running", BOOLEAN, when=RUNNING),
        ),
        ranges={"entryDate": DAY, "createdAt": INSTANT, "durationSeconds": SECONDS},
    )

    def visible(self, auth: AuthContext) -> QuerySet[TimeEntry]:
        rows = super().visible(auth).filter(deleted_at__isnull=True)
        return rows.filter(user_id=auth.user_id) if auth.is_limited else rows

    @staticmethod
    def without_effect(auth: AuthContext) -> Sequence[str]:
        """Return the filters without effect: a Member's list is limited to their own entries (contract, section 3)."""
        return ("userId",) if auth.is_limited else ()

    def create(self, context: RequestContext) -> dict[str, Any]:
        context.values["user_id"] = context.auth.user_id
        return super().create(context)

    def assign(self, row: TimeEntry, context: RequestContext) -> None:
        values = dict(context.values)
        from_text = values.pop("duration", None)
        seconds = values.pop("duration_seconds", None)
        was_running = row.started_at is not None and row.stopped_at is None
        for attr, value in values.items():
            setattr(row, attr, value)
        if seconds is None:
            seconds = from_text
        if seconds is None and was_running and row.started_at and row.stopped_at:
            # Stopping a timer sets its duration.
            seconds = min(max(0, int((row.stopped_at - row.started_at).total_seconds())), LONGEST_S)
        if seconds is not None:
            row.duration_seconds = seconds

    def check(self, row: TimeEntry, context: RequestContext, faults: dict[str, str]) -> None:
        values = context.values
        creating = row._state.adding
        if creating and values.get("duration_seconds") is None and values.get("duration") is None:
            faults["durationSeconds"] = "required, unless duration is given"
        find_project(values, context.auth, faults)
        if row.task_id is not None and not {"task_id", "project_id"}.isdisjoint(values):
            tasks = TASKS.visible(context.auth).filter(pk=row.task_id, project_id=row.project_id)
            if not tasks.exists():
                faults["taskId"] = "must be a task of the project"
        if row.stopped_at is not None and row.started_at is None:
            faults["startedAt"] = "required if stoppedAt is given"
        elif row.stopped_at and row.started_at and row.stopped_at.astimezone(UTC) < row.started_at.astimezone(UTC):
            faults["stoppedAt"] = "must not be before startedAt"

    def guard_change(self, row: TimeEntry, context: RequestContext) -> None:
        self.guard_delete(row)
        if row.started_at is not None and row.stopped_at is None:
            others = TimeEntry.objects.filter(RUNNING, org_id=row.org_id, user_id=row.user_id, deleted_at__isnull=True)
            if others.exclude(pk=row.pk).exists():
                raise ConflictError("A timer is already running. Stop it first.")

    def guard_delete(self, row: TimeEntry) -> None:
        if row.invoice_id is not None:
            raise ConflictError("The time entry is on an invoice and can no longer be changed.")

    def running(self, context: RequestContext) -> dict[str, Any] | None:
        """Return the caller's own running timer."""
        row = self.visible(context.auth).filter(RUNNING, user_id=context.auth.user_id).first()
        return self.render(row, context.auth) if row else None


TIME_ENTRIES = TimeEntries()
OPERATIONS = (
    TIME_ENTRIES.list_operation(ignores=TIME_ENTRIES.without_effect),
    Operation(
        name="get_running_timer",
        summary="Show your running timer, or null.",
        method="GET",
        path="/time-entries/running",
        roles=EVERYONE,
        run=TIME_ENTRIES.running,
        record=TIME_ENTRIES.schema,
        shape=Shape.RECORD_OR_NULL,
    ),
    TIME_ENTRIES.get_operation(),
    TIME_ENTRIES.create_operation(),
    TIME_ENTRIES.change_operation(),
    TIME_ENTRIES.delete_operation(),
)
