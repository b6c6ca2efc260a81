"""The 31 tools: each exactly one REST call, declared in the module of its resource.

Source: the Hoursmith contract, section 10, whose order the catalogue keeps.
"""

from collections.abc import Mapping
from types import MappingProxyType

from mcpbridge.models import CallKind
from mcpbridge.tools import clients, expenses, invoices, members, organization, projects, tasks, time_entries
from mcpbridge.tools.base import Hints, RestRequest, Tool
from mcpbridge.tools.undo import Undo

__all__ = ["READ_TOOLS", "TOOLS", "UNDOS", "Hints", "RestRequest", "Tool", "Undo"]

_RESOURCES = (organization, clients, projects, tasks, time_entries, expenses, invoices, members)

TOOLS: Mapping[str, Tool] = MappingProxyType({tool.name: tool for area in _RESOURCES for tool in area.TOOLS})
READ_TOOLS: Mapping[str, Tool] = MappingProxyType(
    {name: tool for name, tool in TOOLS.items() if tool.kind is CallKind.READ}
)
# How each destructive tool is undone.
UNDOS: Mapping[str, Undo] = MappingProxyType(
    {undo.tool: undo for undo in (clients.UNDO, projects.UNDO, tasks.UNDO, time_entries.UNDO, expenses.UNDO)}
)
