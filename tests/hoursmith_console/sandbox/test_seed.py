"""The demo workspace: big enough to be believed, the same every time, and locked where it was invoiced."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import router, transaction
from django.db.models import Count, Q
from pytest_django.plugin import DjangoDbBlocker

from hoursmith_console.sandbox.models import (
    Client,
    Expense,
    Invoice,
    InvoiceStatus,
    Member,
    Organization,
    PaymentStatus,
    Person,
    Project,
    ProjectStatus,
    RateType,
    Role,
    Task,
    TimeEntry,
    Token,
)
from hoursmith_console.sandbox.seed.workspace import demo_workspace, seed_workspace
from hoursmith_console.sandbox.services import mint_token
from tests.hoursmith_console.sandbox.fixtures import Caller, World, code

pytestmark = pytest.mark.django_db(databases="__all__")

NOW = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def seeded(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The demo workspace, made once; what a test changes in it is undone after the test."""
    database = router.db_for_write(Organization)
    with django_db_blocker.unblock(), transaction.atomic(using=database):
        seed_workspace(now=NOW)
        yield
        transaction.set_rollback(True, using=database)


@pytest.fixture
def org(seeded: None) -> Organization:
    found = demo_workspace()
    assert found is not None
    return found


def _caller(role: Role, name: str = "") -> Caller:
    member = Member.objects.filter(role=role, user__name__startswith=name).order_by("created_at").first()
    assert member is not None
    return Caller(member, mint_token(member=member, name="x", scopes=["read", "write"]).plaintext)


def test_it_has_the_promised_size(org: Organization) -> None:
    roles = Counter(Member.objects.filter(org=org).values_list("role", flat=True))
    assert roles == {"OWNER": 1, "ADMIN": 1, "MANAGER": 1, "MEMBER": 3}
    assert (Client.objects.count(), Project.objects.count(), Task.objects.count()) == (12, 30, 150)
    assert 2500 <= TimeEntry.objects.count() <= 3500
    assert Expense.objects.count() == 80
    assert set(Project.objects.values_list("status", flat=True)) == set(ProjectStatus.values)
    assert set(Project.objects.values_list("rate_type", flat=True)) == set(RateType.values)
    assert set(Invoice.objects.values_list("status", flat=True)) == set(InvoiceStatus.values)
    assert set(Invoice.objects.values_list("payment_status", flat=True)) == set(PaymentStatus.values)


def test_its_time_is_of_the_last_six_months(org: Organization) -> None:
    days = TimeEntry.objects.order_by("entry_date").values_list("entry_date", flat=True)
    assert NOW.date() - timedelta(days=184) <= days[0] <= NOW.date() - timedelta(days=180)
    assert not TimeEntry.objects.filter(Q(created_at__gt=NOW) | Q(entry_date__gt=NOW.date())).exists()


def test_one_timer_is_running(org: Organization) -> None:
    running = TimeEntry.objects.get(started_at__isnull=False, stopped_at=None)
    whose = Caller(
        Member.objects.get(user=running.user),
        mint_token(member=Member.objects.get(user=running.user), name="x", scopes=["read"]).plaintext,
    )
    assert whose.get("/time-entries/running").json()["data"]["id"] == str(running.pk)


def test_its_projects_keep_the_rules_of_the_api(org: Organization) -> None:
    for project in Project.objects.all():
        assert (project.status == ProjectStatus.ARCHIVED) == (project.deleted_at is not None)
        assert (project.rate_type == RateType.FIXED) == (project.fixed_fee_amount is not None)
        assert project.budget_hours is None or project.budget_amount is None
        assert not (project.start_date and project.due_date) or project.start_date <= project.due_date


def test_everything_in_it_hangs_together(org: Organization) -> None:
    for entry in TimeEntry.objects.select_related("task", "project", "invoice"):
        assert entry.task is None or entry.task.project_id == entry.project_id
        assert entry.invoice is None or entry.invoice.client_id == entry.project.client_id
    for expense in Expense.objects.select_related("project", "invoice"):
        assert expense.project is None or expense.project.client_id == expense.client_id
        assert expense.invoice is None or expense.invoice.client_id == expense.client_id
    for invoice in Invoice.objects.all():
        assert invoice.amount_paid <= invoice.total


def test_what_was_invoiced_is_locked(org: Organization) -> None:
    owner = _caller(Role.OWNER)
    entry = TimeEntry.objects.filter(invoice__isnull=False).first()
    expense = Expense.objects.filter(invoice__isnull=False).first()
    assert entry is not None
    assert expense is not None
    assert code(owner.delete(f"/time-entries/{entry.pk}")) == (409, "conflict")
    assert code(owner.delete(f"/expenses/{expense.pk}")) == (409, "conflict")
    assert not TimeEntry.objects.filter(invoice__status=InvoiceStatus.CANCELLED).exists()


def test_globex_is_the_one_client_that_can_be_deleted(org: Organization) -> None:
    owner = _caller(Role.OWNER)
    for client in Client.objects.all():
        expected = (204, "") if client.name == "Globex" else (409, "conflict")
        assert code(owner.delete(f"/clients/{client.pk}")) == expected


def test_each_member_is_on_some_projects_and_has_tasks(org: Organization) -> None:
    members = Person.objects.filter(memberships__role=Role.MEMBER)
    for person in members.annotate(places=Count("projects", distinct=True), work=Count("tasks", distinct=True)):
        assert 0 < person.places < 30
        assert person.work > 0


def test_a_second_run_changes_nothing(org: Organization) -> None:
    owner = _caller(Role.OWNER)
    owner.delete(f"/clients/{Client.objects.get(name='Globex').pk}")
    assert seed_workspace(now=NOW + timedelta(days=1)) == org
    assert Client.objects.get(name="Globex").deleted_at is not None
    assert Token.objects.exists()


def test_a_reset_makes_it_anew_under_the_same_ids(org: Organization) -> None:
    before = set(Member.objects.values_list("pk", "user_id"))
    clients = set(Client.objects.values_list("pk", "name"))
    owner = _caller(Role.OWNER)
    org.plan = "free"
    org.save()
    again = seed_workspace(now=NOW + timedelta(days=1), reset=True)
    assert (again.pk, again.plan) == (org.pk, "agency")
    assert set(Member.objects.values_list("pk", "user_id")) == before
    assert set(Client.objects.values_list("pk", "name")) == clients
    assert code(owner.get("/me")) == (401, "unauthenticated")


def test_a_reset_leaves_other_workspaces_alone(org: Organization, outside: World) -> None:
    seed_workspace(now=NOW, reset=True)
    assert outside.owner.get("/me").json()["data"]["orgName"] == "Umbrella"
    assert demo_workspace() is not None
