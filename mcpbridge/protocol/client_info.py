"""Read the name and version that an AI client reports, without keeping a session.

A client of protocol version 2026-07-28 names itself in every request. An older one does so once, in `initialize`;
the bridge answers with an `Mcp-Session-Id` that contains the name itself, signed. The client sends it back with every
request (MCP 2025-11-25, transports, session management), and any worker with the same SECRET_KEY can read it.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.core import signing

from mcpbridge.redaction.masking import redact
from mcpbridge.redaction.visible_text import marked, shows_nothing

_SALT = "mcpbridge.protocol.client_info"
MAX_SESSION_ID = 600


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """A client's self-reported name and version: a label, never proof."""

    name: str = ""
    version: str = ""


UNKNOWN = ClientInfo()


def client_from_info(info: Any) -> ClientInfo:
    """Return the client in `clientInfo` as sent (MCP `Implementation`); UNKNOWN if it is not one."""
    if not isinstance(info, dict):
        return UNKNOWN
    name, version = info.get("name"), info.get("version")
    return _client(name[:500] if isinstance(name, str) else "", version[:500] if isinstance(version, str) else "")


@lru_cache(maxsize=1024)
def _client(name: str, version: str) -> ClientInfo:
    """Return the sanitized client. Cached: a client sends the same values with every request."""
    return ClientInfo(_label(name, 120), _label(version, 60))


def client_from_user_agent(user_agent: str) -> ClientInfo:
    """Return the client from the first product of a User-Agent header (RFC 9110 section 10.1.5)."""
    name, _, version = user_agent.split(" ", 1)[0].partition("/")
    return _client(name[:500], version[:500])


def session_id(client: ClientInfo) -> str:
    """The signed carrier of `client`: visible ASCII, as the transport asks."""
    return signing.dumps([client.name, client.version], salt=_SALT, compress=True)


@lru_cache(maxsize=1024)
def client_from_session_id(value: str) -> ClientInfo:
    """Return the client in the session id `value`; UNKNOWN if its signature is not ours."""
    if len(value) > MAX_SESSION_ID:
        return UNKNOWN
    try:
        name, version = signing.loads(value, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return UNKNOWN
    return ClientInfo(str(name), str(version))


def _label(value: str, length: int) -> str:
    # Shown in lists: one line, without invisible or direction-changing characters.
    text = "".join(character for character in value[: length * 2] if character.isprintable())
    return "" if shows_nothing(text) else marked(redact(text).strip())[:length]
