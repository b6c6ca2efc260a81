"""Makes the demo workspace, or makes it anew."""

from datetime import datetime

from django.db import router, transaction

from hoursmith_console.sandbox.models import Expense, Invoice, Organization, RateCounter, TimeEntry
from hoursmith_console.sandbox.seed.clients import clients_create
from hoursmith_console.sandbox.seed.money import expenses_draft, invoices_draft
from hoursmith_console.sandbox.seed.people import ORG_ID, cast_create
from hoursmith_console.sandbox.seed.projects import projects_create, tasks_create
from hoursmith_console.sandbox.seed.time_entries import time_entries_draft


def demo_workspace() -> Organization | None:
    """The demo workspace, None where it was not made yet."""
    return Organization.objects.filter(pk=ORG_ID).first()


def workspace_seed(*, now: datetime, reset: bool = False) -> Organization:
    """The demo workspace, made where it is missing or `reset` is asked for; its ids stay the same.

    A reset takes its tokens with it.
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
    org, people = cast_create(now=now)
    clients = clients_create(org=org, now=now)
    projects = projects_create(org=org, clients=clients, people=people, now=now)
    tasks = tasks_create(org=org, projects=projects, now=now)
    entries = time_entries_draft(org=org, people=people, projects=projects, tasks=tasks, now=now)
    expenses = expenses_draft(org=org, clients=clients, projects=projects, now=now)
    invoices = invoices_draft(org=org, clients=clients, entries=entries, expenses=expenses, now=now)
    Invoice.objects.bulk_create(invoices)
    Expense.objects.bulk_create(expenses)
    TimeEntry.objects.bulk_create(entries)
    return org
