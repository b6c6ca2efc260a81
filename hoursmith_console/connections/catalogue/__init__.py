"""Catalogue of AI clients: one declaration per client, from which setup instructions are built."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from hoursmith_console.connections.catalogue import agents, claude, commands, editors, hosted, terminals
from hoursmith_console.connections.catalogue.config_files import System
from hoursmith_console.connections.catalogue.mcp_client import SLOT, Access, Family, Link, McpClient, Secret, Snippet

__all__ = [
    "MCP_CLIENTS",
    "SLOT",
    "Access",
    "Family",
    "Link",
    "McpClient",
    "Secret",
    "Snippet",
    "System",
    "identify_client",
]

_ALL: tuple[McpClient, ...] = tuple(
    client for module in (claude, hosted, editors, terminals, agents, commands) for client in module.MCP_CLIENTS
)

MCP_CLIENTS: Mapping[str, McpClient] = MappingProxyType({client.key: client for client in _ALL})

# Longest first, so that "claude-code" does not match "claude".
_ALIASES = sorted(
    ((alias, client.key) for client in _ALL for alias in client.aliases), key=lambda pair: len(pair[0]), reverse=True
)
_VIA = re.compile(r"\s*\(via mcp-remote\b.*", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s_]+")


def identify_client(name: str) -> str:
    """Return the key of the client that reports `name` in `clientInfo` or as user agent; empty if unknown.

    Names are self-reported: use this for labels and instructions only.
    """
    plain = _BETWEEN.sub("-", _VIA.sub("", name.partition("/")[0]).strip().lower())
    for alias, key in _ALIASES:
        rest = plain.removeprefix(alias)
        if len(rest) < len(plain) and not rest[:1].isalnum():
            return key
    return ""
