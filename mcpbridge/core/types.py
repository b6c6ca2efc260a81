"""The facts of one tool call, as they travel from the door to the records."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mcpbridge.core.token_digest import Digests
from mcpbridge.models import CallKind, Result, TokenRef


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a token acts as, as Hoursmith's `/me` last said."""

    org_id: str
    org_name: str
    plan: str
    role: str
    token_name: str
    scopes: tuple[str, ...]


@dataclass(slots=True)
class Caller:
    """Who is asking and by which way; never the token itself. Filled in as the request is read.

    `env` and `prefix` are what the request says. `is_accepted` once Hoursmith has accepted the token that it carries.
    """

    env: str
    prefix: str
    client_name: str = ""
    client_version: str = ""
    connection: str = ""
    protocol: str = ""
    transport: str = "http"
    address: str = ""
    request_id: str = ""
    digests: Digests = field(default=(), repr=False)
    is_accepted: bool = False

    @property
    def token_ref(self) -> TokenRef:
        """Return the token that the request names."""
        return TokenRef(self.env, self.prefix)


@dataclass(frozen=True, slots=True)
class ElicitationState:
    """Whether a client can ask its person something while a call waits, and what it brought back."""

    can_ask: bool = False
    state: str = ""
    answers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """One tool call. `arguments` are already redacted and shortened for the record.

    Filled in while the call is carried out; from the moment it is recorded nobody changes it.
    """

    call_id: uuid.UUID
    at: datetime
    caller: Caller
    identity: Identity
    tool: str
    kind: CallKind
    target_type: str = ""
    target_id: str = ""
    target_label: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    # Its columns as they were made fit for the record, since intent, outcome and activity share them.
    stored: dict[str, Any] | None = field(default=None, init=False, repr=False, compare=False)

    def columns(self) -> dict[str, Any]:
        """The columns that `models.CallFacts` shares between activity and audit rows."""
        return {
            "org_id": self.identity.org_id,
            "token_name": self.identity.token_name[:200],
            "role": self.identity.role[:16],
            "env": self.caller.env,
            "prefix": self.caller.prefix,
            "client_name": self.caller.client_name[:120],
            "client_version": self.caller.client_version[:60],
            "connection": self.caller.connection[:40],
            "protocol": self.caller.protocol[:16],
            "transport": self.caller.transport,
            "address": self.caller.address[:45],
            "request_id": self.caller.request_id[:36],
            "call_id": self.call_id,
            "at": self.at,
            "tool": self.tool,
            "kind": self.kind,
            "target_type": self.target_type,
            "target_id": self.target_id[:64],
            "target_label": self.target_label[:200],
            "arguments": self.arguments,
        }


@dataclass(frozen=True, slots=True)
class CallResult:
    """How a call ended: its result, the HTTP status that says so, the error's code, and the time it took."""

    result: Result
    status: int
    code: str
    duration_ms: float
