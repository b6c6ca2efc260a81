"""Models of the embedded workspace (contract section 9)."""

from hoursmith_console.sandbox.models.bookkeeping import IdempotencyRecord, RateCounter
from hoursmith_console.sandbox.models.clients import Client
from hoursmith_console.sandbox.models.expenses import Category, Expense
from hoursmith_console.sandbox.models.invoices import Invoice, InvoiceStatus, PaymentStatus
from hoursmith_console.sandbox.models.organizations import Member, Organization, Person, Plan, Role
from hoursmith_console.sandbox.models.projects import Project, ProjectStatus, RateType
from hoursmith_console.sandbox.models.tasks import Priority, Task, TaskStatus
from hoursmith_console.sandbox.models.time_entries import TimeEntry
from hoursmith_console.sandbox.models.tokens import Scope, Token

__all__ = [
    "Category",
    "Client",
    "Expense",
    "IdempotencyRecord",
    "Invoice",
    "InvoiceStatus",
    "Member",
    "Organization",
    "PaymentStatus",
    "Person",
    "Plan",
    "Priority",
    "Project",
    "ProjectStatus",
    "RateCounter",
    "RateType",
    "Role",
    "Scope",
    "Task",
    "TaskStatus",
    "TimeEntry",
    "Token",
]
