"""Compare the tools a token has used with those its role and scopes allow."""

from collections.abc import Collection
from dataclasses import dataclass

from hoursmith_console.token_policy.least_privilege import MEMBERS_MAY
from hoursmith_console.workspaces.models import Role
from mcpbridge.models import CallKind, ObservedToken, TokenTool
from mcpbridge.tools import TOOLS, Tool


@dataclass(frozen=True, slots=True)
class UsedTools:
    """Used tools, most called first, and allowed but unused tools by kind."""

    used: list[tuple[TokenTool, str, bool]]
    unused: dict[str, list[str]]
    allowed: int

    @property
    def used_and_allowed(self) -> int:
        """Number of allowed tools that were used."""
        return sum(is_allowed for _, _, is_allowed in self.used)


def is_allowed(tool: Tool, *, role: str, scopes: Collection[str]) -> bool:
    """Return whether a token with this role and these scopes may call `tool`; Hoursmith decides on which records."""
    if tool.kind is not CallKind.READ and "write" not in scopes:
        return False
    return role != Role.MEMBER or tool.name in MEMBERS_MAY


def used_tools(token: ObservedToken) -> UsedTools:
    """Return the used and unused tools of `token`, in one query."""
    may = {name for name, tool in TOOLS.items() if is_allowed(tool, role=token.role, scopes=token.scopes)}
    rows = list(token.tools.order_by("-calls", "tool"))
    called = {row.tool for row in rows}
    unused: dict[str, list[str]] = {}
    for name in TOOLS:
        if name in may and name not in called:
            unused.setdefault(TOOLS[name].kind.value, []).append(name)
    used = [(row, TOOLS[row.tool].kind.value if row.tool in TOOLS else "", row.tool in may) for row in rows]
    return UsedTools(used, unused, len(may))
