"""Two small workspaces for the tests of the sandbox API, and a way to call it."""

import itertools
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.test import Client as HttpClient

from hoursmith_console.sandbox import services
from hoursmith_console.sandbox.models import (
    Client,
    Expense,
    Invoice,
    InvoiceStatus,
    Member,
    Organization,
    Person,
    Project,
    RateType,
    Role,
    Task,
    TimeEntry,
)

BASE = "/sandbox/api/v1"
LONG_AGO = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
NOWHERE = str(uuid.UUID(int=7))
ROLES = {"owner": Role.OWNER, "admin": Role.ADMIN, "manager": Role.MANAGER, "member": Role.MEMBER}
STAFF = ("owner", "admin", "manager")
_keys = itertools.count(1)


@dataclass
class Caller:
    """Somebody with a token, who calls the API."""

    member: Member
    token: str = field(repr=False)

    @property
    def user_id(self) -> str:
        return str(self.member.user_id)

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, *, key: str | None = "", **headers: str) -> Any:
        """`key` None sends none, an empty one a fresh one."""
        if key is not None:
            headers["Idempotency-Key"] = key or f"key {next(_keys)}"
        return self.call("POST", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self.call("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.call("DELETE", path, **headers)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return send(method, path, body, authorization=f"Bearer {self.token}", **headers)

    def list(self, path: str) -> list[dict[str, Any]]:
        answer = self.get(path)
        assert answer.status_code == 200, answer.content
        return list(answer.json()["data"])


def send(method: str, path: str, body: Any = None, **headers: str) -> Any:
    """Call the API; `body` as JSON, or as it is where it is bytes."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    content_type = headers.pop("content_type", "application/json")
    client = HttpClient(raise_request_exception=False)
    return client.generic(method, BASE + path, content, content_type=content_type, headers=headers)


def code(answer: Any) -> tuple[int, str]:
    """Status and error code, which is empty on success."""
    if answer.status_code < 300:
        return answer.status_code, ""
    return answer.status_code, answer.json()["error"]["code"]


def fields(answer: Any) -> dict[str, str]:
    """The faulty fields of a 422."""
    assert code(answer) == (422, "validation_error"), answer.content
    return dict(answer.json()["error"]["fields"])


class World:
    """One workspace: Olga owns it, Adam administers, Mona manages, Max and Nora are Members.

    Max is on the project `site`, where one task is his and one is not; Nora is on `shop`.
    """

    def __init__(self, name: str, plan: str = "agency") -> None:
        self.org = Organization.objects.create(name=name, plan=plan, created_at=LONG_AGO)
        domain = f"{name.lower()}.example"
        self.owner = self.join("Olga", f"olga@{domain}", Role.OWNER)
        self.admin = self.join("Adam", f"adam@{domain}", Role.ADMIN)
        self.manager = self.join("Mona", f"mona@{domain}", Role.MANAGER)
        self.member = self.join("Max", f"max@{domain}", Role.MEMBER)
        self.other_member = self.join("Nora", f"nora@{domain}", Role.MEMBER)
        self.client = self.make(Client, name="Initech", currency="USD")
        self.idle_client = self.make(Client, name="Globex")
        self.site = self.make(Project, client=self.client, name="Site", hourly_rate=Decimal(90))
        self.shop = self.make(Project, client=self.client, name="Shop", rate_type=RateType.NON_BILLABLE)
        self.site.people.add(self.member.member.user)
        self.shop.people.add(self.other_member.member.user)
        self.own_task = self.make(Task, project=self.site, name="Draft")
        self.own_task.assignees.add(self.member.member.user)
        self.open_task = self.make(Task, project=self.site, name="Review")
        self.shop_task = self.make(Task, project=self.shop, name="Checkout")
        self.invoice = self.make(
            Invoice, client=self.client, number="A-1", status=InvoiceStatus.SENT, subtotal=90, total=90, currency="USD"
        )
        self.own_entry = self.entry(self.member, self.site)
        self.other_entry = self.entry(self.other_member, self.shop)
        self.locked_entry = self.entry(self.member, self.site, invoice=self.invoice)
        self.expense = self.spent(client=self.client)
        self.locked_expense = self.spent(client=self.client, invoice=self.invoice)

    def caller(self, role: str) -> Caller:
        found: Caller = getattr(self, role)
        return found

    def join(self, name: str, email: str, role: Role) -> Caller:
        """A new member with a token that may read and write."""
        person = Person.objects.create(name=name, email=email)
        member = Member.objects.create(org=self.org, user=person, role=role, created_at=LONG_AGO)
        return Caller(member, services.mint_token(member=member, name=name, scopes=["read", "write"]).plaintext)

    def make(self, model: Any, **values: Any) -> Any:
        """A record of this workspace."""
        values.setdefault("created_at", LONG_AGO)
        values.setdefault("updated_at", values["created_at"])
        return model.objects.create(org=self.org, **values)

    def entry(self, whose: Caller, project: Project, **values: Any) -> TimeEntry:
        found: TimeEntry = self.make(
            TimeEntry,
            **{
                "user": whose.member.user,
                "project": project,
                "duration_seconds": 3600,
                "entry_date": date(2026, 3, 2),
                **values,
            },
        )
        return found

    def spent(self, **values: Any) -> Expense:
        found: Expense = self.make(
            Expense,
            **{
                "description": "Train",
                "amount": Decimal("12.50"),
                "currency": "USD",
                "expense_date": date(2026, 3, 2),
                **values,
            },
        )
        return found

    def narrowed(self, whose: Caller, *scopes: str) -> Caller:
        """The same person with a token of other scopes."""
        return Caller(whose.member, services.mint_token(member=whose.member, name="narrow", scopes=scopes).plaintext)
