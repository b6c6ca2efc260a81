"""For each tool one call with arguments of every kind, and the REST request that it must become."""

from typing import Any

ID = "0b7c4f6e-5b0a-4a52-9c39-0d5a7e6f1a11"
OTHER = "7f1d6a52-9d53-4b53-8f6d-2f9c2a6f0c77"
KEY = "november-bill-1"

Example = tuple[dict[str, Any], tuple[str, str, list[tuple[str, str]], dict[str, Any] | None]]


def _got(path: str, arguments: dict[str, Any], query: list[tuple[str, str]]) -> Example:
    return arguments, ("GET", path, query, None)


def _posted(path: str, body: dict[str, Any] | None, **path_arguments: Any) -> Example:
    return {**path_arguments, **(body or {}), "idempotencyKey": KEY}, ("POST", path, [], body)


def _patched(path: str, body: dict[str, Any]) -> Example:
    return {"id": ID, **body}, ("PATCH", path, [], body)


def _deleted(path: str) -> Example:
    return {"id": ID}, ("DELETE", path, [], None)


EXAMPLES: dict[str, Example] = {
    "get_me": _got("/me", {}, []),
    "get_organization": _got("/organization", {}, []),
    "list_clients": _got(
        "/clients",
        {"search": "glo & co", "sort": "-NAME", "limit": 20, "createdAtFrom": "2026-01-01", "cursor": "abc=="},
        [
            ("search", "glo & co"),
            ("sort", "-name"),
            ("limit", "20"),
            ("createdAtFrom", "2026-01-01"),
            ("cursor", "abc=="),
        ],
    ),
    "get_client": _got(f"/clients/{ID}", {"id": ID}, []),
    "create_client": _posted("/clients", {"name": "Globex", "defaultRate": "120.50", "requirePoNumber": True}),
    "update_client": _patched(f"/clients/{ID}", {"notes": None, "defaultRate": 99.9}),
    "delete_client": _deleted(f"/clients/{ID}"),
    "list_projects": _got(
        "/projects",
        {"clientId": OTHER, "status": "active", "dueDateTo": "2026-12-31T23:59:59Z"},
        [("clientId", OTHER), ("status", "ACTIVE"), ("dueDateTo", "2026-12-31T23:59:59Z")],
    ),
    "get_project": _got(f"/projects/{ID}", {"id": ID}, []),
    "create_project": _posted(
        "/projects", {"clientId": OTHER, "name": "Site", "rateType": "FIXED", "fixedFeeAmount": 4000}
    ),
    "update_project": _patched(f"/projects/{ID}", {"status": "ACTIVE", "budgetHours": None}),
    "archive_project": _posted(f"/projects/{ID}/archive", None, id=ID),
    "list_tasks": _got(
        "/tasks",
        {"projectId": OTHER, "priority": "HIGH", "billable": False, "limit": 200.0},
        [("projectId", OTHER), ("priority", "HIGH"), ("billable", "false"), ("limit", "200")],
    ),
    "get_task": _got(f"/tasks/{ID}", {"id": ID}, []),
    "create_task": _posted(
        "/tasks", {"projectId": OTHER, "name": "Draft", "assigneeIds": [ID, OTHER], "tags": ["web"]}
    ),
    "update_task": _patched(f"/tasks/{ID}", {"status": "DONE", "endDate": "2026-11-20"}),
    "archive_task": _posted(f"/tasks/{ID}/archive", None, id=ID),
    "list_time_entries": _got(
        "/time-entries",
        {"running": True, "durationSecondsMin": 3600, "sort": "entryDate"},
        [("running", "true"), ("durationSecondsMin", "3600"), ("sort", "entryDate")],
    ),
    "get_time_entry": _got(f"/time-entries/{ID}", {"id": ID}, []),
    "get_running_timer": _got("/time-entries/running", {}, []),
    "create_time_entry": _posted(
        "/time-entries", {"projectId": OTHER, "entryDate": "2026-11-02", "duration": "1h30m", "note": "Kick-off"}
    ),
    "update_time_entry": _patched(f"/time-entries/{ID}", {"durationSeconds": 5400, "taskId": None}),
    "delete_time_entry": _deleted(f"/time-entries/{ID}"),
    "list_expenses": _got(
        "/expenses",
        {"category": "Travel", "amountMin": 0.00001 * 10, "amountMax": "99.90", "clientName": "Ærø"},
        [("category", "TRAVEL"), ("amountMin", "0.0001"), ("amountMax", "99.90"), ("clientName", "Ærø")],
    ),
    "get_expense": _got(f"/expenses/{ID}", {"id": ID}, []),
    "create_expense": _posted(
        "/expenses", {"clientId": OTHER, "description": "Train", "amount": 19.99, "expenseDate": "2026-11-02"}
    ),
    "update_expense": _patched(f"/expenses/{ID}", {"amount": "20.00", "projectId": None}),
    "delete_expense": _deleted(f"/expenses/{ID}"),
    "list_invoices": _got(
        "/invoices",
        {"status": "sent", "paymentStatus": "PARTIALLY_PAID", "totalMin": -5, "sort": "-amountPaid"},
        [("status", "SENT"), ("paymentStatus", "partially_paid"), ("totalMin", "-5"), ("sort", "-amountPaid")],
    ),
    "get_invoice": _got(f"/invoices/{ID}", {"id": ID}, []),
    "list_members": _got("/members", {"role": "owner"}, [("role", "OWNER")]),
}
