"""What a look for events returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mcpbridge.models import TokenIdentity


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `key` identifies it for good; `facts` are what messages may say of it."""

    key: str
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """Events in order, the audit entry up to which was looked, and further `memory` of the rule."""

    events: Sequence[Event] = ()
    cursor: int | None = None
    memory: Mapping[str, Any] | None = None


def token_facts(row: TokenIdentity, name: str, role: str) -> dict[str, Any]:
    """Return the facts of a token."""
    return {"env": row.env, "prefix": row.prefix, "token_name": name, "role": role}
