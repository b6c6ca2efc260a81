"""Compute the least privilege that the calls of a token needed: role, and read or write.

Pure functions over tool names. The permissions of each role follow section 3 of the Hoursmith contract: Owner, Admin
and Manager may do the same through the API, so only the step down to Member matters.

A Member sees only their own records. Tool names do not tell whose records were accessed, so such calls only *may*
have been possible as a Member, and the hint says so. Unknown tools count as needing the highest role.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from hoursmith_console.workspaces.models import Role
from mcpbridge.models import CallKind
from mcpbridge.tools import TOOLS

WINDOW_DAYS = 60
# Below these, too little was observed for a hint.
LEAST_DAYS = 14
LEAST_CALLS = 10
STAFF = (Role.OWNER, Role.ADMIN, Role.MANAGER)

# Tools a Member may call, and the records they are limited to; empty if not limited.
MEMBERS_MAY: Mapping[str, str] = MappingProxyType(
    {
        "get_me": "",
        "get_organization": "",
        "list_projects": "projects they are on",
        "get_project": "projects they are on",
        "list_tasks": "tasks of their projects",
        "get_task": "tasks of their projects",
        "update_task": "tasks assigned to them",
        "list_time_entries": "their own time",
        "get_time_entry": "their own time",
        "get_running_timer": "their own time",
        "create_time_entry": "their own time",
        "update_time_entry": "their own time",
        "delete_time_entry": "their own time",
        "list_members": "their own record",
    }
)


@dataclass(frozen=True, slots=True)
class LeastPrivilege:
    """The least privilege that suffices. `only_if` are the records that a Member would have been limited to."""

    role: Role
    writes: bool
    only_if: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PrivilegeHint:
    """Hint about an over-privileged token. `least_role` is empty if its role was needed."""

    role: str
    least_role: str
    only_if: tuple[str, ...]
    is_reading: bool
    days: int

    @property
    def headline(self) -> str:
        """The hint as a sentence."""
        kinds = [f"{self.least_role}-level" if self.least_role else "", "read-only" if self.is_reading else ""]
        what = " and ".join(kind for kind in kinds if kind)
        return f"This {self.role or 'unknown'} token made only {what} calls in {self.days} days."

    @property
    def short(self) -> str:
        """The hint as a label."""
        parts = [f"{self.least_role} is enough" if self.least_role else "", "read-only use" if self.is_reading else ""]
        return " · ".join(part for part in parts if part)


def least_privilege(tools: Collection[str]) -> LeastPrivilege:
    """Return the least privilege that calls of these tools need."""
    writes = any(tool not in TOOLS or TOOLS[tool].kind is not CallKind.READ for tool in tools)
    if any(tool not in MEMBERS_MAY for tool in tools):
        return LeastPrivilege(Role.MANAGER, writes)
    within = sorted({MEMBERS_MAY[tool] for tool in tools} - {""})
    return LeastPrivilege(Role.MEMBER, writes, tuple(within))


def privilege_hint(
    *, role: str, scopes: Collection[str], first_used_at: datetime, calls: Mapping[str, int], now: datetime
) -> PrivilegeHint | None:
    """Return the hint for a token with these calls by tool in the window; None if it needs its privileges, or too
    little was observed.
    """
    days = min(WINDOW_DAYS, (now - first_used_at) // timedelta(days=1))
    if days < LEAST_DAYS or sum(calls.values()) < LEAST_CALLS:
        return None
    least = least_privilege(calls.keys())
    has_too_high_a_role = role in STAFF and least.role is Role.MEMBER
    has_unused_scope = "write" in scopes and not least.writes
    if not (has_too_high_a_role or has_unused_scope):
        return None
    return PrivilegeHint(
        role=role,
        least_role=str(least.role) if has_too_high_a_role else "",
        only_if=least.only_if if has_too_high_a_role else (),
        is_reading=has_unused_scope,
        days=days,
    )
