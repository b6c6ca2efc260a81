"""Audit rows as flat columns, and the product names that every format states."""

import json
from typing import Any

from mcpbridge.audit.hashchain import FACTS
from mcpbridge.audit.verification.records import Event, canonical_or_none

VENDOR = "Hoursmith"
PRODUCT = "Hoursmith Console"
# Columns with JSON objects.
JSON_COLUMNS = frozenset({"arguments", "snapshot"})
COLUMNS = ("id", "sequence", "workspace", *FACTS[2:], "epoch", "seal", "previous_hash", "hash")


def columns_of(event: Event) -> dict[str, Any]:
    """Return every column of the row, even if its facts are unreadable."""
    known = {"id": event.id, "sequence": event.sequence, "workspace": event.workspace}
    facts = {**(event.facts or {}), **(event.shown or {}), "seal": event.seal or None}
    return (
        {name: facts.get(name) for name in COLUMNS}
        | known
        | {
            "previous_hash": event.previous_hash,
            "hash": event.hash,
        }
    )


def json_text(value: Any) -> str:
    """Return a value as JSON text, in canonical form if it has one."""
    made = canonical_or_none(value)
    return json.dumps(value, default=str) if made is None else made.decode()


def cell_text(name: str, value: Any) -> str:
    """Return a column's value as text; empty for None."""
    if value is None:
        return ""
    return value if isinstance(value, str) and name not in JSON_COLUMNS else json_text(value)
