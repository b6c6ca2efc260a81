"""Hash and link the rows of an audit chain, as specified in `docs/audit-format.md`.

    hash = SHA-256(canonical JSON of the row's facts ‖ the 32 bytes of the previous row's hash)

In format 2, seven facts are hashed through salted commitments, so that they can be left out of what is shown.

The canonical form is RFC 8785 (JSON Canonicalization Scheme). Rows are written with orjson, whose sorted output has
the same bytes for nearly all audit rows at a fiftieth of the cost; rows for which it may differ use the reference
implementation.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import rfc8785

from mcpbridge.audit.tree.sealed import MEMBERS, commitments, new_seal

FORMAT, FORMAT_2 = "hoursmith-audit-1", "hoursmith-audit-2"
# Columns that the hash of a row covers: all but the two hashes; `org_id` is named `workspace`. Rows of format 2 have
# an `epoch`, too, and are hashed with `seal`, which is no fact.
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
_OPEN_FACTS = tuple(name for name in FACTS if name not in MEMBERS)
_all_values, _open_values = itemgetter(*FACTS), itemgetter(*_OPEN_FACTS)
# orjson sorts by code point and RFC 8785 by UTF-16 unit, which differ from U+E000 on; both agree below.
_HIGH = re.compile(rb"[\xee-\xf4]")
# The numbers between which both print integers alike, and fractions without an exponent.
_MOST_DIGITS, _LEAST_FRACTION = 10**15, 1e-4
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
    """Return the facts of a row in JSON types, from its columns: those of format 2 if it has an epoch.

    Raises ValueError for a row of format 2 without a seal of 32 bytes.
    """
    epoch = columns.get("epoch", 0)
    names, values = (_OPEN_FACTS, _open_values) if epoch else (FACTS, _all_values)
    made = dict(zip(names, values(columns), strict=True))
    for name, value in made.items():
        if type(value) not in _AS_IT_IS:
            made[name] = _plain(value)
    made["format"] = FORMAT_2 if epoch else FORMAT
    made["workspace"] = columns["org_id"]
    if epoch:
        # Used for rows from databases, too, which may hold any value.
        forms = {member: quick_canonical(columns[member]) if columns[member] != "" else b'""' for member in MEMBERS}
        made["epoch"], made["sealed"] = epoch, commitments(bytes(columns["seal"] or b""), forms)
    return made


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind is datetime:
        return instant(value)
    if kind is UUID or kind is date:
        return str(value)
    if kind is float and value.is_integer():
        return int(value)
    return value


def instant(at: datetime) -> str:
    """Return `at` in UTC with six decimals: 2026-11-23T10:42:07.000000Z."""
    in_utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return in_utc.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def canonical(value: Any) -> bytes:
    """Return the RFC 8785 form, by the reference implementation."""
    return rfc8785.dumps(value)


def fast_canonical(value: Any) -> bytes:
    """Return the same bytes by orjson; numbers in `value` must have passed `canonical_number`."""
    made = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return made if made.isascii() or not _HIGH.search(made) else canonical(value)


def quick_canonical(value: Any) -> bytes:
    """Return the same bytes for any value, by orjson where it can. Raises as `canonical` does."""
    try:
        return fast_canonical(value) if type(value) is str or _is_printed_alike(value) else canonical(value)
    except orjson.JSONEncodeError:
        # Half a surrogate pair, or a key that is no text.
        return canonical(value)


def _is_printed_alike(value: Any) -> bool:
    """Return whether orjson and RFC 8785 print every number in `value` alike, and it has only JSON's types."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is dict or kind is list:
        for each in value.values() if kind is dict else value:
            # Most are texts.
            if type(each) is not str and not _is_printed_alike(each):
                return False
        return True
    if kind is int:
        return bool(-_MOST_DIGITS < value < _MOST_DIGITS)
    return kind is float and _LEAST_FRACTION <= abs(value) < _MOST_DIGITS and not value.is_integer()


def is_finite(value: Any) -> bool:
    """Return whether `value` has no NaN or infinity."""
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    if isinstance(value, list):
        return all(map(is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def row_hash(canonical_facts: bytes, previous_hash: str) -> str:
    """Return the hash of a row, in hexadecimal."""
    return hashlib.sha256(canonical_facts + bytes.fromhex(previous_hash)).hexdigest()


def link(columns: dict[str, Any], previous: Head, *, epoch: int = 0) -> Head:
    """Link a row to `previous` and return the new head: fill its `sequence`, `previous_hash` and `hash`.

    With an `epoch`, the row is of format 2, and its `epoch` and a new `seal` are filled, too.
    """
    columns["epoch"], columns["seal"] = epoch, new_seal() if epoch else None
    columns["sequence"] = previous.sequence + 1
    columns["previous_hash"] = previous.hash
    columns["hash"] = row_hash(fast_canonical(facts(columns)), previous.hash)
    return Head(columns["sequence"], columns["hash"])
