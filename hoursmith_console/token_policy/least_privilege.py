"""What the calls of a token would have needed at the least: the role, and whether it had to write at all.

Pure functions over the names of tools. What each role may do is the table of the Hoursmith contract, section 3. There
Owner, Admin and Manager may do the same through the API, so only one step down matters: to Member.

A Member sees only their own corner: their time, the tasks and projects they are on, their own record. The names of
tools do not tell whose records were asked for, so such a call is only *perhaps* within a Member's power, and the hint
says which calls that is about. Anything that the catalogue does not know is taken for what needs most.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from hoursmith_console.workspaces.models import Role
from mcpbridge.models import Kind
from mcpbridge.tools import TOOLS

WINDOW_DAYS = 60
# Of less than this nobody should conclude anything.
LEAST_DAYS = 14
LEAST_CALLS = 10
STAFF = (Role.OWNER, Role.ADMIN, Role.MANAGER)

# What a Member may call, and of which records it is then; nothing where it is the same for everybody.
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
    """What would have sufficed. `only_if` are the records that a Member's calls would have had to stay within."""

    role: Role
    writes: bool
    only_if: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PrivilegeHint:
    """A token that may more than it did. `least_role` is empty where its role was needed."""

    role: str
    least_role: str
    only_if: tuple[str, ...]
    is_reading: bool
    days: int

    @property
    def headline(self) -> str:
        """The hint in one sentence."""
        kinds = [f"{self.least_role}-level" if self.least_role else "", "read-only" if self.is_reading else ""]
        what = " and ".join(kind for kind in kinds if kind)
        return f"This {self.role or 'unknown'} token made only {what} calls in {self.days} days."

    @property
    def short(self) -> str:
        """The same as a label."""
        parts = [f"{self.least_role} would do" if self.least_role else "", "only reads" if self.is_reading else ""]
        return " · ".join(part for part in parts if part)


def least_privilege(tools: Collection[str]) -> LeastPrivilege:
    """The least that calls of exactly these tools need."""
    writes = any(tool not in TOOLS or TOOLS[tool].kind is not Kind.READ for tool in tools)
    if any(tool not in MEMBERS_MAY for tool in tools):
        return LeastPrivilege(Role.MANAGER, writes)
    within = sorted({MEMBERS_MAY[tool] for tool in tools} - {""})
    return LeastPrivilege(Role.MEMBER, writes, tuple(within))


def privilege_hint(
    *, role: str, scopes: Collection[str], first_used_at: datetime, calls: Mapping[str, int], now: datetime
) -> PrivilegeHint | None:
    """What to say about a token that called these tools in the window, each so often (`calls`).

    None where it needed what it has, or where too little was seen of it to say.
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
