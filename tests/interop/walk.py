"""A working day as tool calls: all 31 tools, once each, on records that the walk itself makes.

A string such as `$id:create_client` stands for that field of the record an earlier call returned (of the
first record, where it returned a list).
"""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

Step = tuple[str, dict[str, Any]]

DAY: tuple[Step, ...] = (
    ("get_me", {}),
    ("get_organization", {}),
    ("list_members", {"limit": 5, "sort": "createdAt"}),
    ("create_client", {"name": "Umbra Studio", "email": "office@umbra.example", "defaultRate": "95.50"}),
    ("get_client", {"id": "$id:create_client"}),
    ("update_client", {"id": "$id:create_client", "notes": "Prefers invoices on the first.", "phone": None}),
    ("list_clients", {"search": "umbra", "limit": 10, "sort": "-createdAt"}),
    (
        "create_project",
        {
            "clientId": "$id:create_client",
            "name": "Winter catalogue",
            "rateType": "HOURLY",
            "hourlyRate": 95.5,
            "budgetHours": 40,
            "startDate": "2026-11-02",
            "dueDate": "2026-12-18",
        },
    ),
    ("get_project", {"id": "$id:create_project"}),
    ("update_project", {"id": "$id:create_project", "description": "Photography and layout – 64 pages."}),
    ("list_projects", {"clientId": "$id:create_client", "status": "ACTIVE", "dueDateTo": "2026-12-31"}),
    (
        "create_task",
        {
            "projectId": "$id:create_project",
            "name": "Cover",
            "priority": "HIGH",
            "assigneeIds": ["$userId:list_members"],
            "tags": ["print", "Überschrift"],
            "estimatedHours": 6,
            "dueDate": "2026-11-30",
        },
    ),
    ("get_task", {"id": "$id:create_task"}),
    ("update_task", {"id": "$id:create_task", "status": "IN_PROGRESS"}),
    ("list_tasks", {"projectId": "$id:create_project", "billable": True, "priority": "HIGH"}),
    (
        "create_time_entry",
        {
            "projectId": "$id:create_project",
            "taskId": "$id:create_task",
            "duration": "1h30m",
            "entryDate": "2026-11-20",
            "note": "First sketches",
        },
    ),
    ("get_time_entry", {"id": "$id:create_time_entry"}),
    ("update_time_entry", {"id": "$id:create_time_entry", "durationSeconds": 7200}),
    ("list_time_entries", {"taskId": "$id:create_task", "entryDateFrom": "2026-11-01", "durationSecondsMin": 60}),
    ("get_running_timer", {}),
    (
        "create_expense",
        {
            "clientId": "$id:create_client",
            "projectId": "$id:create_project",
            "description": "Paper samples",
            "amount": "48.90",
            "category": "OTHER",
            "expenseDate": "2026-11-19",
            "idempotencyKey": "paper-samples-$id:create_client",
        },
    ),
    ("get_expense", {"id": "$id:create_expense"}),
    ("update_expense", {"id": "$id:create_expense", "billable": False}),
    ("list_expenses", {"clientId": "$id:create_client", "amountMax": 100}),
    ("list_invoices", {"sort": "-total", "limit": 3}),
    ("get_invoice", {"id": "$id:list_invoices"}),
    ("delete_expense", {"id": "$id:create_expense"}),
    ("delete_time_entry", {"id": "$id:create_time_entry"}),
    ("archive_task", {"id": "$id:create_task"}),
    ("archive_project", {"id": "$id:create_project"}),
    ("delete_client", {"id": "$id:create_client"}),
)
# One call of each kind, for the clients that start anew for every call.
READ_WRITE_DESTROY = tuple(step for step in DAY if step[0] in ("get_me", "create_client", "delete_client"))


class Memory:
    """What the calls of one walk returned."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Any]] = {}

    def keep(self, tool: str, payload: Any) -> None:
        data = payload.get("data") if isinstance(payload, dict) else None
        record = data[0] if isinstance(data, list) and data else data
        if isinstance(record, dict):
            self._records[tool] = record

    def fill(self, arguments: Any) -> Any:
        """`arguments` with the fields of earlier records in place of their names."""
        if isinstance(arguments, dict):
            return {name: self.fill(value) for name, value in arguments.items()}
        if isinstance(arguments, list):
            return [self.fill(value) for value in arguments]
        if isinstance(arguments, str) and "$" in arguments:
            before, _, reference = arguments.partition("$")
            field, _, tool = reference.partition(":")
            return before + str(self._records[tool][field])
        return arguments


def check_listing(tools: list[dict[str, Any]]) -> None:
    """The 31 tools, each described, with all four hints and both schemas."""
    assert sorted(tool["name"] for tool in tools) == sorted(name for name, _ in DAY)
    for tool in tools:
        assert tool["title"], tool["name"]
        assert tool["description"], tool["name"]
        assert {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"} <= set(tool["annotations"])
        assert tool["inputSchema"]["type"] == tool["outputSchema"]["type"] == "object"


def check_results(tools: list[dict[str, Any]], steps: tuple[Step, ...], results: list[dict[str, Any]]) -> None:
    """Every call succeeded, says the same in both forms, and keeps to its tool's output schema."""
    shapes = {tool["name"]: tool["outputSchema"] for tool in tools}
    for (name, _), result in zip(steps, results, strict=True):
        assert not result.get("isError"), (name, result["content"])
        assert [block["type"] for block in result["content"]] == ["text"], name
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"], name
        jsonschema_rs.validate(shapes[name], result["structuredContent"])


def tools_of(steps: tuple[Step, ...]) -> Iterator[str]:
    for name, _ in steps:
        yield name
