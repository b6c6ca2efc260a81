"""Hash and link the rows of an audit chain, as specified in `docs/audit-format.md`.

    hash = SHA-256(canonical JSON of the row's facts ‖ the 32 bytes of the previous row's hash)

The canonical form is RFC 8785 (JSON Canonicalization Scheme). Rows are written with orjson, whose sorted output has
the same bytes for nearly all audit rows at a fiftieth of the cost; rows for which it may differ use the reference
implementation.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import rfc8785

FORMAT = "hoursmith-audit-1"
# Columns that the hash of a row covers: all but the two hashes; `org_id` is named `workspace`.
FACTS = (
    "id",
    "sequence",
    "phase",
    "recorded_at",
    "call_id",
    "at",
    "tool",
    "kind",
    "target_type",
    "target_id",
    "target_label",
    "arguments",
    "snapshot",
    "snapshot_fault",
    "result",
    "status",
    "code",
    "duration_ms",
    "actor",
    "note",
    "env",
    "prefix",
    "token_name",
    "role",
    "org_name",
    "client_name",
    "client_version",
    "connection",
    "protocol",
    "transport",
    "address",
    "request_id",
)
# orjson sorts by code point and RFC 8785 by UTF-16 unit, which differ from U+E000 on; both agree below.
_HIGH = re.compile(rb"[\xee-\xf4]")
# Types that JSON has; most facts are of one of them.
_AS_IT_IS = frozenset({str, int, bool, type(None), dict, list})


class Head(NamedTuple):
    """The last row of a chain."""

    sequence: int
    hash: str


def genesis(org_id: str) -> Head:
    """Return the head before the first row of a workspace, which is different for every workspace."""
    return Head(0, hashlib.sha256(f"{FORMAT}\n{org_id}".encode()).hexdigest())


def facts(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a row in JSON types, from its columns."""
    made = {name: columns[name] for name in FACTS}
    for name, value in made.items():
        if type(value) not in _AS_IT_IS:
            made[name] = _plain(value)
    made["format"] = FORMAT
    made["workspace"] = columns["org_id"]
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, UUID | date):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def instant(at: datetime) -> str:
    """Return `at` in UTC with six decimals: 2026-11-23T10:42:07.000000Z."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def canonical(value: Any) -> bytes:
    """Return the RFC 8785 form, by the reference implementation."""
    return rfc8785.dumps(value)


def fast_canonical(value: Any) -> bytes:
    """Return the same bytes by orjson; numbers in `value` must have passed `canonical_number`."""
    made = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return canonical(value) if _HIGH.search(made) else made


def row_hash(canonical_facts: bytes, previous_hash: str) -> str:
    """Return the hash of a row, in hexadecimal."""
    return hashlib.sha256(canonical_facts + bytes.fromhex(previous_hash)).hexdigest()


def link(columns: dict[str, Any], previous: Head) -> Head:
    """Link a row to `previous`: fill its `sequence`, `previous_hash` and `hash`, and return the new head."""
    columns["sequence"] = previous.sequence + 1
    columns["previous_hash"] = previous.hash
    columns["hash"] = row_hash(fast_canonical(facts(columns)), previous.hash)
    return Head(columns["sequence"], columns["hash"])
