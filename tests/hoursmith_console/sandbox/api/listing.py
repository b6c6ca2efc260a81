"""What a list ought to be, worked out from its rows in plain Python and not by the code under test."""

import random
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hoursmith_console.sandbox.models import Client, Expense, Invoice, Member, Person, Project, Task, TimeEntry
from tests.hoursmith_console.sandbox.fixtures import World

# The contract's section 7, by hand: resource → sorts, searched fields, exact filters, ranges.
SORTS = {
    "clients": "createdAt id name updatedAt",
    "projects": "createdAt dueDate id name startDate status updatedAt",
    "tasks": "createdAt dueDate endDate id name priority startDate status updatedAt",
    "time-entries": "createdAt durationSeconds entryDate id updatedAt",
    "expenses": "amount createdAt expenseDate id updatedAt",
    "invoices": ("amountPaid createdAt dueDate id issueDate number paidAt paymentStatus sentAt status total updatedAt"),
    "members": "createdAt id role",
}
SEARCHED = {
    "clients": "name contactName email",
    "projects": "name description",
    "tasks": "name description",
    "time-entries": "note",
    "expenses": "description customCategory",
    "invoices": "number",
    "members": "name email",
}
FILTERS = {
    "clients": "",
    "projects": "clientId status",
    "tasks": "projectId status priority billable",
    "time-entries": "projectId taskId userId billable",
    "expenses": "clientId projectId billable category",
    "invoices": "clientId status paymentStatus",
    "members": "role",
}
RANGES = {
    "clients": "createdAt updatedAt",
    "projects": "startDate dueDate createdAt",
    "tasks": "startDate dueDate endDate createdAt",
    "time-entries": "entryDate createdAt durationSeconds",
    "expenses": "expenseDate createdAt amount",
    "invoices": "issueDate dueDate sentAt paidAt createdAt total amountPaid",
    "members": "createdAt",
}
RANKED = {
    "status": ["ACTIVE", "COMPLETED", "ARCHIVED", "TODO", "IN_PROGRESS", "DONE", "DRAFT", "SENT", "PAID", "CANCELLED"],
    "priority": ["LOW", "MEDIUM", "HIGH"],
    "role": ["OWNER", "ADMIN", "MANAGER", "MEMBER"],
    "paymentStatus": ["unpaid", "partially_paid", "paid", "refunded"],
}
NUMBERS = {"amount", "total", "amountPaid", "durationSeconds"}
WORDS = ("Alpha", "alpha", "Ärger", "ÄRGER", "50%", "a_b", "émile", "ÉMILE", "beta \\ gamma", "日本", "z" * 200)


def comparable(name: str, value: Any) -> Any:
    """A value of the field `name` as it is compared."""
    if name in RANKED:
        return RANKED[name].index(value)
    return Decimal(value) if name in NUMBERS else value


def expected_order(rows: list[dict[str, Any]], sort: str) -> list[str]:
    """The ids in the order that the contract promises: nulls last when descending, `id` breaks ties."""
    name, descending = sort.lstrip("-"), sort.startswith("-")

    def key(row: dict[str, Any]) -> Any:
        value = row[name]
        return (value is not None, 0 if value is None else comparable(name, value), uuid.UUID(row["id"]).hex)

    return [row["id"] for row in sorted(rows, key=key, reverse=descending)]


class Crowd:
    """Thirty rows of each resource with few different values, so that ties and nulls abound."""

    def __init__(self, world: World, seed: int = 1, size: int = 30) -> None:
        self._random = random.Random(seed)
        self._world = world
        self._clients = [self._make(Client, **self._client()) for _ in range(size)]
        self._projects = [self._make(Project, **self._project()) for _ in range(size)]
        self._tasks = [self._make(Task, **self._task()) for _ in range(size)]
        for _ in range(size):
            self._make(TimeEntry, **self._entry())
            self._make(Expense, **self._expense())
        for number in range(size):
            self._make(Invoice, **self._invoice(number))
        for number in range(size):
            person = Person.objects.create(name=self._word(), email=f"p{number}@crowd.example")
            role = self._random.choice(["ADMIN", "MANAGER", "MEMBER"])
            Member.objects.create(org=world.org, user=person, role=role, created_at=self._instant())

    def _make(self, model: Any, **values: Any) -> Any:
        return self._world.make(model, created_at=self._instant(), updated_at=self._instant(), **values)

    def _word(self) -> str:
        return self._random.choice(WORDS)

    def _maybe(self, value: Any) -> Any:
        return self._random.choice([None, value, value])

    def _day(self) -> date:
        return date(2026, 5, 1) + timedelta(days=self._random.randrange(4))

    def _instant(self) -> datetime:
        return datetime(2026, 5, 1, tzinfo=UTC) + timedelta(milliseconds=self._random.choice([0, 1, 500, 86_400_000]))

    def _money(self) -> Decimal:
        return Decimal(self._random.choice([5, 10, 99, 100, 1000, 12345678])) / 100

    def _client(self) -> dict[str, Any]:
        return {"name": self._word(), "contact_name": self._maybe(self._word()), "email": self._maybe("A@B.example")}

    def _project(self) -> dict[str, Any]:
        return {
            "client": self._random.choice(self._clients),
            "name": self._word(),
            "description": self._maybe(self._word()),
            "status": self._random.choice(["ACTIVE", "COMPLETED"]),
            "start_date": self._maybe(self._day()),
            "due_date": self._maybe(self._day()),
        }

    def _task(self) -> dict[str, Any]:
        return {
            "project": self._random.choice(self._projects),
            "name": self._word(),
            "description": self._maybe(self._word()),
            "status": self._random.choice(["TODO", "IN_PROGRESS", "DONE"]),
            "priority": self._random.choice(["LOW", "MEDIUM", "HIGH"]),
            "billable": self._random.random() < 0.5,
            "start_date": self._maybe(self._day()),
            "due_date": self._maybe(self._day()),
            "end_date": self._maybe(self._day()),
        }

    def _entry(self) -> dict[str, Any]:
        task = self._random.choice(self._tasks)
        return {
            "user": self._random.choice([self._world.owner, self._world.member]).member.user,
            "project": task.project,
            "task": self._maybe(task),
            "duration_seconds": self._random.choice([0, 60, 900, 3600, 100_000]),
            "billable": self._random.random() < 0.5,
            "note": self._maybe(self._word()),
            "entry_date": self._day(),
        }

    def _expense(self) -> dict[str, Any]:
        project = self._random.choice(self._projects)
        return {
            "client": project.client,
            "project": self._maybe(project),
            "category": self._random.choice(["TRAVEL", "MEALS", "OTHER"]),
            "custom_category": self._maybe(self._word()),
            "description": self._word(),
            "amount": self._money(),
            "currency": "EUR",
            "billable": self._random.random() < 0.5,
            "expense_date": self._day(),
        }

    def _invoice(self, number: int) -> dict[str, Any]:
        return {
            "client": self._random.choice(self._clients),
            "number": f"B-{number % 7}{number}",
            "status": self._random.choice(["DRAFT", "SENT", "PAID", "CANCELLED"]),
            "payment_status": self._random.choice(["unpaid", "partially_paid", "paid", "refunded"]),
            "subtotal": self._money(),
            "total": self._money(),
            "amount_paid": self._money(),
            "currency": "EUR",
            "issue_date": self._maybe(self._day()),
            "due_date": self._maybe(self._day()),
            "sent_at": self._maybe(self._instant()),
            "paid_at": self._maybe(self._instant()),
        }
