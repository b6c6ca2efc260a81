"""The row of the record as flat formats see it, and what every format says of this product."""

import json
from typing import Any

from mcpbridge.audit.hashchain import FACTS
from mcpbridge.audit.verification.records import Event, canonical_or_none

VENDOR = "Hoursmith"
PRODUCT = "Hoursmith Console"
# Of JSON's kinds in the record, all others are texts.
JSON_COLUMNS = frozenset({"arguments", "snapshot"})
COLUMNS = ("id", "sequence", "workspace", *FACTS[2:], "previous_hash", "hash")


def columns_of(event: Event) -> dict[str, Any]:
    """Every column of the row, also where its facts cannot be read."""
    known = {"id": event.id, "sequence": event.sequence, "workspace": event.workspace}
    facts = event.facts or {}
    return (
        {name: facts.get(name) for name in COLUMNS}
        | known
        | {
            "previous_hash": event.previous_hash,
            "hash": event.hash,
        }
    )


def json_text(value: Any) -> str:
    """A value as JSON text, in its canonical form where it has one."""
    made = canonical_or_none(value)
    return json.dumps(value, default=str) if made is None else made.decode()


def cell_text(name: str, value: Any) -> str:
    """A column's value as text; what is absent is empty."""
    if value is None:
        return ""
    return value if isinstance(value, str) and name not in JSON_COLUMNS else json_text(value)
