"""How each AI client is connected: one small declaration a client, from which everything that is shown is made."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from hoursmith_console.connections.catalogue import agents, claude, commands, editors, terminals
from hoursmith_console.connections.catalogue.mcp_client import (
    SLOT,
    Access,
    Client,
    Family,
    Link,
    Secret,
    Snippet,
    System,
)

__all__ = [
    "CLIENTS",
    "SLOT",
    "Access",
    "Client",
    "Family",
    "Link",
    "Secret",
    "Snippet",
    "System",
    "client_kind_of",
]

_ALL = (*claude.CLIENTS, *editors.CLIENTS, *terminals.CLIENTS, *agents.CLIENTS, *commands.CLIENTS)

CLIENTS: Mapping[str, Client] = MappingProxyType({client.key: client for client in _ALL})

# The longest first, so that "claude-code" is not taken for "claude".
_ALIASES = sorted(
    ((alias, client.key) for client in _ALL for alias in client.aliases), key=lambda pair: len(pair[0]), reverse=True
)
_VIA = re.compile(r"\s*\(via mcp-remote\b.*", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s_]+")


def client_kind_of(name: str) -> str:
    """The key of the client that calls itself `name` in `clientInfo` or as user agent; empty where none is known.

    A guess, for labels and for choosing instructions: anybody may call themselves anything.
    """
    plain = _BETWEEN.sub("-", _VIA.sub("", name.partition("/")[0]).strip().lower())
    for alias, key in _ALIASES:
        rest = plain.removeprefix(alias)
        if len(rest) < len(plain) and not rest[:1].isalnum():
            return key
    return ""
