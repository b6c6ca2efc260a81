"""Data classes that describe one tool call: identity, caller, call, result."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from mcpbridge.core.token_digest import Digests
from mcpbridge.models import CallKind, Result, TokenRef


@dataclass(frozen=True, slots=True)
class Identity:
    """The member that a token acts as, as Hoursmith's `/me` last reported."""

    org_id: str
    org_name: str
    plan: str
    role: str
    token_name: str
    scopes: tuple[str, ...]


@dataclass(slots=True)
class Caller:
    """The caller of a request and its transport, without the token. Filled in as the request is read.

    `env` and `prefix` are what the request says. `is_accepted` is set once Hoursmith accepted the request's token.
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
    """Whether the client can ask its user during a call, and the state and answers that it sent back."""

    can_ask: bool = False
    state: str = ""
    answers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """One tool call. `arguments` are already redacted and shortened for storage.

    Filled in while the call runs; it does not change any more once it is recorded.
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
    # The sanitized columns, which the intent, outcome and activity rows share.
    stored: dict[str, Any] | None = field(default=None, init=False, repr=False, compare=False)

    def columns(self) -> dict[str, Any]:
        """Return the columns of `models.CallFacts`, which activity and audit rows share."""
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


class CallResult(NamedTuple):
    """How a call ended: result, HTTP status, error code, and duration in milliseconds."""

    result: Result
    status: int
    code: str
    duration_ms: float
