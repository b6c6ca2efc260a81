"""The API's resources, one module each with its `OPERATIONS`."""

from hoursmith_console.sandbox.api.operations import Operation
from hoursmith_console.sandbox.api.resources import (
    clients,
    expenses,
    invoices,
    me,
    members,
    organization,
    projects,
    tasks,
    time_entries,
)

OPERATIONS: tuple[Operation, ...] = (
    *me.OPERATIONS,
    *organization.OPERATIONS,
    *clients.OPERATIONS,
    *projects.OPERATIONS,
    *tasks.OPERATIONS,
    *time_entries.OPERATIONS,
    *expenses.OPERATIONS,
    *invoices.OPERATIONS,
    *members.OPERATIONS,
)
