"""The least privilege that suffices, for every tool of the catalogue."""

from datetime import UTC, datetime, timedelta

import pytest

from hoursmith_console.sandbox.api.resources import OPERATIONS
from hoursmith_console.token_policy.least_privilege import (
    LEAST_CALLS,
    LEAST_DAYS,
    MEMBERS_MAY,
    least_privilege,
    privilege_hint,
)
from hoursmith_console.workspaces.models import Role
from mcpbridge.tools import TOOLS

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
OLD = NOW - timedelta(days=100)
# The contract, section 3, for each of the 31 tools: least role, whether it writes, and of which records as a Member.
TABLE = {
    "get_me": ("MEMBER", False, ""),
    "get_organization": ("MEMBER", False, ""),
    "list_clients": ("MANAGER", False, ""),
    "get_client": ("MANAGER", False, ""),
    "create_client": ("MANAGER", True, ""),
    "update_client": ("MANAGER", True, ""),
    "delete_client": ("MANAGER", True, ""),
    "list_projects": ("MEMBER", False, "projects they are on"),
    "get_project": ("MEMBER", False, "projects they are on"),
    "create_project": ("MANAGER", True, ""),
    "update_project": ("MANAGER", True, ""),
    "archive_project": ("MANAGER", True, ""),
    "list_tasks": ("MEMBER", False, "tasks of their projects"),
    "get_task": ("MEMBER", False, "tasks of their projects"),
    "create_task": ("MANAGER", True, ""),
    "update_task": ("MEMBER", True, "tasks assigned to them"),
    "archive_task": ("MANAGER", True, ""),
    "list_time_entries": ("MEMBER", False, "their own time"),
    "get_time_entry": ("MEMBER", False, "their own time"),
    "get_running_timer": ("MEMBER", False, "their own time"),
    "create_time_entry": ("MEMBER", True, "their own time"),
    "update_time_entry": ("MEMBER", True, "their own time"),
    "delete_time_entry": ("MEMBER", True, "their own time"),
    "list_expenses": ("MANAGER", False, ""),
    "get_expense": ("MANAGER", False, ""),
    "create_expense": ("MANAGER", True, ""),
    "update_expense": ("MANAGER", True, ""),
    "delete_expense": ("MANAGER", True, ""),
    "list_invoices": ("MANAGER", False, ""),
    "get_invoice": ("MANAGER", False, ""),
    "list_members": ("MEMBER", False, "their own record"),
}


def test_the_table_names_every_tool_and_no_other() -> None:
    assert TABLE.keys() == TOOLS.keys()


@pytest.mark.parametrize("tool", TABLE)
def test_each_tool_needs_what_the_contract_says(tool: str) -> None:
    least = least_privilege([tool])
    within = TABLE[tool][2]
    assert (least.role, least.writes, least.only_if) == (TABLE[tool][0], TABLE[tool][1], (within,) if within else ())


def test_the_sandbox_lets_members_call_exactly_what_the_hint_says_they_may() -> None:
    """The sandbox knows the same table by itself: whichever is wrong, they differ."""
    allowed = {operation.name for operation in OPERATIONS if Role.MEMBER in operation.roles}
    assert allowed == set(MEMBERS_MAY)


def test_an_unknown_tool_counts_as_needing_the_highest_role() -> None:
    least = least_privilege(["get_me", "delete_everything"])
    assert (least.role, least.writes) == (Role.MANAGER, True)


def _hint(role: str = "ADMIN", calls: dict[str, int] | None = None, **more: object) -> object:
    given = {"scopes": ["read", "write"], "first_used_at": OLD, "now": NOW, **more}
    return privilege_hint(role=role, calls=calls or {"list_tasks": 200, "create_time_entry": 14}, **given)  # type: ignore[arg-type]


def test_an_admins_token_with_calls_of_a_member_is_named() -> None:
    hint = _hint()
    assert hint is not None
    assert hint.headline == "This ADMIN token made only MEMBER-level calls in 60 days."  # type: ignore[attr-defined]
    assert hint.only_if == ("tasks of their projects", "their own time")  # type: ignore[attr-defined]
    assert not hint.is_reading  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("role", "calls", "scopes", "short"),
    [
        ("ADMIN", {"get_me": 50}, ["read", "write"], "MEMBER is enough · read-only use"),
        ("MANAGER", {"get_me": 50}, ["read"], "MEMBER is enough"),
        ("MEMBER", {"list_tasks": 50}, ["read", "write"], "read-only use"),
        # Owner, Admin and Manager may do the same through the API, so that one is not better than the other.
        ("OWNER", {"list_clients": 50}, ["read", "write"], "read-only use"),
        ("OWNER", {"list_clients": 50}, ["read"], None),
        ("ADMIN", {"list_tasks": 50, "delete_client": 1}, ["read", "write"], None),
        ("MEMBER", {"create_time_entry": 50}, ["read", "write"], None),
    ],
)
def test_the_hint_follows_from_role_scopes_and_calls(
    role: str, calls: dict[str, int], scopes: list[str], short: str | None
) -> None:
    hint = _hint(role, calls, scopes=scopes)
    assert getattr(hint, "short", None) == short


def test_nothing_is_concluded_from_little() -> None:
    assert _hint(calls={"get_me": LEAST_CALLS - 1}) is None
    assert _hint(calls={"get_me": LEAST_CALLS}) is not None
    assert _hint(first_used_at=NOW - timedelta(days=LEAST_DAYS - 1)) is None
    young = _hint(first_used_at=NOW - timedelta(days=LEAST_DAYS))
    assert young.days == LEAST_DAYS  # type: ignore[attr-defined]
