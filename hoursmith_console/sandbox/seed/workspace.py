"""Create or recreate the demo workspace."""

from datetime import datetime

from django.db import router, transaction

from hoursmith_console.sandbox.models import Expense, Invoice, Organization, RateCounter, TimeEntry
from hoursmith_console.sandbox.seed.clients import create_clients
from hoursmith_console.sandbox.seed.members import ORG_ID, create_members
from hoursmith_console.sandbox.seed.money import draft_expenses, draft_invoices
from hoursmith_console.sandbox.seed.projects import create_projects, create_tasks
from hoursmith_console.sandbox.seed.time_entries import draft_time_entries


def demo_workspace() -> Organization | None:
    """Return the demo workspace; None if it does not exist yet."""
    return Organization.objects.filter(pk=ORG_ID).first()


def seed_workspace(*, now: datetime, reset: bool = False) -> Organization:
    """Return the demo workspace; create it if it is missing or `reset` is set. Its ids stay the same.

    A reset deletes its tokens.
    """
    with transaction.atomic(using=router.db_for_write(Organization)):
        existing = demo_workspace()
        if existing is not None and not reset:
            return existing
        if existing is not None:
            existing.delete()
            RateCounter.objects.all().delete()
        return _fill(now)


def _fill(now: datetime) -> Organization:
    org, people = create_members(now=now)
    clients = create_clients(org=org, now=now)
    projects = create_projects(org=org, clients=clients, people=people, now=now)
    tasks = create_tasks(org=org, projects=projects, now=now)
    entries = draft_time_entries(org=org, people=people, projects=projects, tasks=tasks, now=now)
    expenses = draft_expenses(org=org, clients=clients, projects=projects, now=now)
    invoices = draft_invoices(org=org, clients=clients, entries=entries, expenses=expenses, now=now)
    Invoice.objects.bulk_create(invoices)
    Expense.objects.bulk_create(expenses)
    TimeEntry.objects.bulk_create(entries)
    return org
