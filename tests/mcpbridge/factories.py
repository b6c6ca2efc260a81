"""The people of the sandbox workspace and one client's work among them, made through the tools themselves."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.mcpbridge.mcp_client import Wire
from tests.servers import Served

ROLES = ("OWNER", "ADMIN", "MANAGER", "MEMBER")
NOWHERE = "00000000-0000-4000-8000-000000000000"
_numbers = itertools.count()


@dataclass
class Cast:
    """Alice owns the workspace. The Members Bob and Charlie are on the project `mine`, and nobody is on `other`.

    `reader` is Alice with a token that only reads, `unused` an Admin whose token nobody has used yet.
    """

    by_role: dict[str, Wire]
    charlie: Wire
    reader: Wire
    unused: Wire
    bob_id: str
    charlie_id: str
    client: str
    mine: str
    other: str

    @property
    def alice(self) -> Wire:
        return self.by_role["OWNER"]

    @property
    def bob(self) -> Wire:
        return self.by_role["MEMBER"]

    def task(self, *, project: str | None = None, assignees: tuple[str, ...] = ()) -> str:
        """A new task, in `mine` unless another project is given."""
        given = {"projectId": project or self.mine, "name": f"Task {next(_numbers)}", "assigneeIds": list(assignees)}
        return str(self.alice.data("create_task", **given)["id"])

    def entry(self, wire: Wire) -> str:
        """A new time entry of whoever `wire` is."""
        made = wire.data("create_time_entry", projectId=self.mine, entryDate="2026-11-02", duration="90m", note="Cast")
        return str(made["id"])

    def expense(self) -> str:
        given = {"clientId": self.client, "description": "Train", "amount": "19.99", "expenseDate": "2026-11-02"}
        return str(self.alice.data("create_expense", **given)["id"])

    def new_client(self) -> str:
        return str(self.alice.data("create_client", name=f"Client {next(_numbers)}")["id"])

    def bobs_task(self) -> str:
        return self.task(assignees=(self.bob_id,))

    def project(self) -> str:
        given = {"clientId": self.client, "name": f"Project {next(_numbers)}"}
        return str(self.alice.data("create_project", **given)["id"])

    def arguments(self, tool: str, role: str) -> dict[str, Any]:
        """A good call of `tool`, on records that `role` may reach as far as the role goes at all."""
        return _ARGUMENTS[tool](self, role) if tool in _ARGUMENTS else {}

    def locked_entry(self, user_id: str) -> str:
        """A time entry of the person that is on an invoice."""
        found = every(self.alice, "list_time_entries", userId=user_id)
        return next(str(entry["id"]) for entry in found if entry["invoiceId"])

    def locked_expense(self) -> str:
        return next(str(expense["id"]) for expense in every(self.alice, "list_expenses") if expense["invoiceId"])


_DAY = "2026-11-02"
_ARGUMENTS: dict[str, Callable[[Cast, str], dict[str, Any]]] = {
    "get_client": lambda cast, role: {"id": cast.client},
    "create_client": lambda cast, role: {"name": f"Client {next(_numbers)}", "defaultRate": 80},
    "update_client": lambda cast, role: {"id": cast.client, "notes": "Pays in March."},
    "delete_client": lambda cast, role: {"id": cast.new_client()},
    "get_project": lambda cast, role: {"id": cast.mine},
    "create_project": lambda cast, role: {"clientId": cast.client, "name": "New", "hourlyRate": "95.50"},
    "update_project": lambda cast, role: {"id": cast.mine, "description": "Changed."},
    "archive_project": lambda cast, role: {"id": cast.mine if role == "MEMBER" else cast.project()},
    "get_task": lambda cast, role: {"id": cast.bobs_task()},
    "create_task": lambda cast, role: {"projectId": cast.mine, "name": "New"},
    "update_task": lambda cast, role: {"id": cast.bobs_task(), "status": "DONE"},
    "archive_task": lambda cast, role: {"id": cast.bobs_task()},
    # Bob's own, and to everybody above him somebody else's.
    "get_time_entry": lambda cast, role: {"id": cast.entry(cast.bob)},
    "create_time_entry": lambda cast, role: {"projectId": cast.mine, "entryDate": _DAY, "durationSeconds": 600},
    "update_time_entry": lambda cast, role: {"id": cast.entry(cast.bob), "note": "Corrected"},
    "delete_time_entry": lambda cast, role: {"id": cast.entry(cast.bob)},
    "get_expense": lambda cast, role: {"id": cast.expense()},
    "create_expense": lambda cast, role: {
        "clientId": cast.client,
        "description": "Hotel",
        "amount": 120,
        "expenseDate": _DAY,
    },
    "update_expense": lambda cast, role: {"id": cast.expense(), "billable": False},
    "delete_expense": lambda cast, role: {"id": cast.expense()},
    "get_invoice": lambda cast, role: {"id": cast.alice.data("list_invoices", limit=1)[0]["id"]},
}


def every(wire: Wire, tool: str, **arguments: Any) -> list[dict[str, Any]]:
    """All records of a list, page after page."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        page = wire.call(tool, {**arguments, **cursor, "limit": 200})["structuredContent"]
        found += page["data"]
        if page["pagination"]["nextCursor"] is None:
            return found
        cursor = {"cursor": page["pagination"]["nextCursor"]}


def refusal(wire: Wire, tool: str, arguments: dict[str, Any], status: int, code: str) -> dict[str, Any]:
    """Call `tool`, which must be refused with `status` and `code`; the error."""
    error = wire.error(tool, **arguments)
    assert (error["status"], error["code"]) == (status, code), error
    assert error["message"]
    assert error["hint"]
    return error


def minted(console: Served, http: httpx.Client, *asked: tuple[str, str]) -> list[Wire]:
    """A client with a new token for each e-mail address and scope, all of them minted in one go."""
    code = f"""
import io, json
from django.core.management import call_command
tokens = []
for email, scope in {asked!r}:
    out = io.StringIO()
    call_command("sandbox_mint", email=email, name="cast", scope=scope, stdout=out)
    tokens.append(out.getvalue().strip())
print(json.dumps(tokens))
"""
    return [Wire(console.mcp_url, token, http) for token in console.shell(code)]


def cast_of(console: Served, http: httpx.Client) -> Cast:
    """Give everybody a token and set the scene."""
    bob, charlie = [person["email"] for person in console.people if person["role"].upper() == "MEMBER"][:2]
    everybody = {role: str(console.person(role)["email"]) for role in ROLES}
    asked = [(email, "write") for email in (*everybody.values(), charlie, everybody["ADMIN"])]
    *wires, hers, unused, reader = minted(console, http, *asked, (everybody["OWNER"], "read"))
    by_role = dict(zip(ROLES, wires, strict=True))
    alice = by_role["OWNER"]
    user_ids = {member["email"]: member["userId"] for member in alice.data("list_members", limit=200)}
    client = alice.data("create_client", name="Cast & Co", currency="EUR")["id"]
    money = {"hourlyRate": "95.50", "budgetAmount": 4000}
    mine, other = (
        alice.data("create_project", clientId=client, name=name, **money)["id"] for name in ("Mine", "Other")
    )
    cast = Cast(by_role, hers, reader, unused, user_ids[bob], user_ids[charlie], client, mine, other)
    cast.task(assignees=(cast.bob_id, cast.charlie_id))
    return cast
