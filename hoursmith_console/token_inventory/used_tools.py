"""Compare the tools a token has used with those its role and scopes allow."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from hoursmith_console.token_policy.least_privilege import MEMBERS_MAY
from hoursmith_console.tokens.filters import token_key
from hoursmith_console.tokens.numbers import CALLS, SERIES
from hoursmith_console.workspaces.models import Role
from mcpbridge.models import CallKind, ObservedToken, TokenTool
from mcpbridge.tools import TOOLS, Tool


@dataclass(frozen=True, slots=True)
class UsedTool:
    """A used tool, with the addresses of its calls and of those refused or failed; empty if some are not kept."""

    row: TokenTool
    kind: str
    is_allowed: bool
    calls_address: str
    refused_address: str


@dataclass(frozen=True, slots=True)
class UsedTools:
    """Used tools, most called first, and allowed but unused tools by kind."""

    used: list[UsedTool]
    unused: dict[str, list[str]]
    allowed: int

    @property
    def used_and_allowed(self) -> int:
        """Number of allowed tools that were used."""
        return sum(tool.is_allowed for tool in self.used)


def is_allowed(tool: Tool, *, role: str, scopes: Collection[str]) -> bool:
    """Return whether a token with this role and these scopes may call `tool`; Hoursmith decides on which records."""
    if tool.kind is not CallKind.READ and "write" not in scopes:
        return False
    return role != Role.MEMBER or tool.name in MEMBERS_MAY


def used_tools(token: ObservedToken, *, kept_from: datetime | None) -> UsedTools:
    """Return the used and unused tools of `token`, in one query. Calls before `kept_from` are not kept."""
    may = {name for name, tool in TOOLS.items() if is_allowed(tool, role=token.role, scopes=token.scopes)}
    rows = list(token.tools.order_by("-calls", "tool"))
    called = {row.tool for row in rows}
    unused: dict[str, list[str]] = {}
    for name in TOOLS:
        if name in may and name not in called:
            unused.setdefault(TOOLS[name].kind.value, []).append(name)
    return UsedTools([_used(token, row, row.tool in may, kept_from) for row in rows], unused, len(may))


def _used(token: ObservedToken, row: TokenTool, is_allowed: bool, kept_from: datetime | None) -> UsedTool:
    # The list has no filter for a tool that does not exist any more.
    is_listed = row.tool in TOOLS and (kept_from is None or row.first_at >= kept_from)
    calls, refused = (
        number.address(token=token_key(token), tool=row.tool) if is_listed else ""
        for number in (CALLS, SERIES["refused"])
    )
    return UsedTool(row, TOOLS[row.tool].kind.value if row.tool in TOOLS else "", is_allowed, calls, refused)
