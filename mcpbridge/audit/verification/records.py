"""What a verifier reads: events, checkpoints, cuts and keys, from the database or from an export alike."""

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
import rfc8785

from mcpbridge.audit.hashchain import FORMAT, canonical
from mcpbridge.audit.signing import CHECKPOINT_FORMAT, CUT_FORMAT, KEY_FORMAT

# Where orjson's output might not be RFC 8785's: characters from U+E000 on sort differently in keys, and these
# numbers are printed differently. Whatever looks like that, even within a text, goes through the reference.
_DOUBTFUL: Final = re.compile(rb"[\xee-\xf4]|[:\[,]-?\d+(?:\.0[,}\]]|\.?\d*e|\d{15})")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
# How much is hashed at most in the search for the place under which a row was sealed.
_SEARCH_BYTES: Final = 256 * 1024 * 1024
_SEARCH_BEYOND: Final = 10_000


@dataclass(slots=True)
class Event:
    """A row of the record as it was found: `facts` in JSON's types, None where they cannot even be read."""

    workspace: str
    sequence: int
    id: str
    facts: dict[str, Any] | None
    previous_hash: str
    hash: str


@dataclass(slots=True)
class Checkpoint:
    """Where a chain stood, signed. `rows` is a number where this is a cut: so many rows up to here were removed."""

    workspace: str
    sequence: int
    hash: str
    at: str
    key_id: str
    signature: str
    reason: str = ""
    rows: int | None = None

    @property
    def is_cut(self) -> bool:
        """Whether rows were removed here under retention."""
        return self.rows is not None

    @property
    def record(self) -> str:
        """What kind of record this is, as findings call it."""
        return "cut" if self.is_cut else "checkpoint"

    def message(self) -> bytes | None:
        """What was signed; None where it has no canonical form, so that nothing can have been."""
        said = {"workspace": self.workspace, "sequence": self.sequence, "hash": self.hash, "at": self.at}
        if self.is_cut:
            return canonical_or_none({"format": CUT_FORMAT, "rows": self.rows, **said})
        return canonical_or_none({"format": CHECKPOINT_FORMAT, **said})


@dataclass(slots=True)
class Key:
    """A public key, and the announcement of it by the key before."""

    key_id: str
    public_key: str
    since: str
    announced_by: str
    signature: str

    def message(self) -> bytes | None:
        """What the announcer signed."""
        said = {"key_id": self.key_id, "public_key": self.public_key, "since": self.since}
        return canonical_or_none({"format": KEY_FORMAT, "announced_by": self.announced_by, **said})


Record = Event | Checkpoint | Key


def canonical_or_none(value: Any) -> bytes | None:
    """RFC 8785, by the quick way where both ways agree; None for what has no canonical form."""
    try:
        made = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        # For a number that JSON does not have, orjson writes null.
        if not _DOUBTFUL.search(made) and (b"null" not in made or is_finite(value)):
            return made
    except orjson.JSONEncodeError:
        pass
    try:
        return canonical(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError):
        return None


def is_finite(value: Any) -> bool:
    """Whether JSON has all the numbers in `value`."""
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    if isinstance(value, list):
        return all(map(is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def is_sealed(event: Event) -> bool:
    """Whether the row's hash is that of its facts and of the previous hash that it names."""
    made = canonical_or_none(event.facts) if _is_whole(event) else None
    if made is None:
        return False
    return hashlib.sha256(made + bytes.fromhex(event.previous_hash)).hexdigest() == event.hash


def is_sealed_at(event: Event, sequence: int) -> bool:
    """Whether the row was hashed as row `sequence`, whatever number it bears now."""
    if event.facts is None:
        return False
    facts = {**event.facts, "sequence": sequence}
    return is_sealed(
        Event(event.workspace, sequence, event.id, facts, event.previous_hash, event.hash),
    )


def sealed_place(event: Event, *, near: int, highest: int) -> int | None:
    """Under which number the row was hashed, searched from `near` outwards; None where under none.

    Tells a row that was only moved or renumbered from one whose content was changed.
    """
    parts = _around_sequence(event)
    if parts is None:
        return None
    before, after = parts
    reach = min(max(highest, near) + _SEARCH_BEYOND, _SEARCH_BYTES // (2 * (len(before) + len(after))))
    for place in _outwards(near, reach):
        if hashlib.sha256(b"%b%d%b" % (before, place, after)).hexdigest() == event.hash:
            return place
    return None


def _outwards(near: int, reach: int) -> Iterator[int]:
    for distance in range(reach + 1):
        yield near + distance
        if 0 < distance < near:
            yield near - distance


def _around_sequence(event: Event) -> tuple[bytes, bytes] | None:
    """What is hashed before and after the row's number."""
    if not _is_whole(event) or event.facts is None:
        return None
    pivot = "sequence".encode("utf-16-be")
    keys = {key: key.encode("utf-16-be", "surrogatepass") for key in event.facts}
    before = canonical_or_none({key: event.facts[key] for key, order in keys.items() if order < pivot})
    after = canonical_or_none({key: event.facts[key] for key, order in keys.items() if order > pivot})
    if before is None or after is None:
        return None
    beginning = before[:-1] + (b"," if len(before) > 2 else b"") + b'"sequence":'
    end = (b"," if len(after) > 2 else b"") + after[1:] + bytes.fromhex(event.previous_hash)
    return beginning, end


def _is_whole(event: Event) -> bool:
    if event.facts is None or event.facts.get("format") != FORMAT:
        return False
    return bool(_HASH.fullmatch(event.previous_hash) and _HASH.fullmatch(event.hash))
