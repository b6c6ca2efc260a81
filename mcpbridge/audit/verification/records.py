"""Records that a verifier reads, from the database or an export: events, checkpoints, cuts and keys."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import rfc8785

from mcpbridge.audit.hashchain import FORMAT, FORMAT_2, quick_canonical
from mcpbridge.audit.signing import CHECKPOINT_FORMAT, CUT_FORMAT, KEY_FORMAT
from mcpbridge.audit.tree.sealed import MEMBERS
from mcpbridge.audit.tree.statements import CHECKPOINT_FORMAT as CHECKPOINT_FORMAT_2
from mcpbridge.audit.tree.statements import KEY_FORMAT as KEY_FORMAT_2
from mcpbridge.audit.tree.statements import CheckpointStatement

RESTORE_FORMAT, BREAK_FORMAT = "hoursmith-restore-1", "hoursmith-break-1"

_HASH: Final = re.compile(r"[0-9a-f]{64}")
# Limit of bytes to hash in the search for the original number of a row.
_SEARCH_BYTES: Final = 256 * 1024 * 1024
_SEARCH_BEYOND: Final = 10_000


@dataclass(slots=True)
class Event:
    """An audit row as it was read: `facts` in JSON types, None if they are unreadable.

    Of a row of format 2, `shown` are the sealed members that it shows, opened by `seal` if they are all, else by
    `salts`; both are what an export says, and None and empty if it says nothing.
    """

    workspace: str
    sequence: int
    id: str
    facts: dict[str, Any] | None
    previous_hash: str
    hash: str
    shown: dict[str, Any] | None = None
    seal: Any = ""
    salts: Any = None


@dataclass(slots=True)
class Checkpoint:
    """A signed head of a chain. `rows` is set for a cut: the number of rows up to here that were pruned.

    A checkpoint of format 2 has an `origin`, `epoch` and `first` row, the `root` of the tree and the `note`.
    """

    workspace: str
    sequence: int
    hash: str
    at: str
    key_id: str
    signature: str
    reason: str = ""
    rows: int | None = None
    origin: str = ""
    epoch: int = 0
    first: int = 0
    root: str = ""
    note: str = ""

    @property
    def statement(self) -> CheckpointStatement:
        """Return the statement of a checkpoint of format 2."""
        return CheckpointStatement(self.origin, sequence=self.sequence, hash=self.hash, root=self.root, at=self.at)

    @property
    def place(self) -> tuple[int, int]:
        """Return what orders the checkpoints of one log: the epoch, then the row."""
        return self.epoch, self.sequence

    @property
    def is_cut(self) -> bool:
        """Return whether it is the cut of a pruning."""
        return self.rows is not None

    @property
    def record(self) -> str:
        """Return the record type as findings name it."""
        return "cut" if self.is_cut else "checkpoint"

    def message(self) -> bytes | None:
        """Return the signed message; None if it has no canonical form, so that no signature can be valid."""
        said: dict[str, Any] = {
            "workspace": self.workspace,
            "sequence": self.sequence,
            "hash": self.hash,
            "at": self.at,
        }
        if self.is_cut:
            return canonical_or_none({"format": CUT_FORMAT, "rows": self.rows, **said})
        if self.origin:
            said |= {"origin": self.origin, "epoch": self.epoch, "first": self.first, "root": self.root}
            return canonical_or_none({"format": CHECKPOINT_FORMAT_2, **said})
        return canonical_or_none({"format": CHECKPOINT_FORMAT, **said})


@dataclass(slots=True)
class Key:
    """A public key with its announcement, signed by the key before it and by the key (`countersignature`).

    In format 2 it has a `use`, and its `predecessor` in full.
    """

    key_id: str
    public_key: str
    since: str
    announced_by: str
    signature: str
    countersignature: str = ""
    use: str = ""
    predecessor: str = ""

    def message(self) -> bytes | None:
        """Return the message that the announcing key signed."""
        if self.use:
            named = {"public_key": self.public_key, "predecessor": self.predecessor, "use": self.use}
            return canonical_or_none({"format": KEY_FORMAT_2, "since": self.since, **named})
        said = {"key_id": self.key_id, "public_key": self.public_key, "since": self.since}
        return canonical_or_none({"format": KEY_FORMAT, "announced_by": self.announced_by, **said})


@dataclass(slots=True)
class Restore:
    """The statement that a log continues in a new epoch after a restore, or after its signing key was lost.

    `given_up` is the last head that was signed under the old origin, `kept` the head that is left; both have their
    members of the statement. `lost` and `public_key` are empty unless the key was lost.
    """

    workspace: str
    at: str
    reason: str
    given_up: dict[str, Any]
    kept: dict[str, Any]
    to: str
    key_id: str
    signature: str
    lost: str = ""
    public_key: str = ""

    @property
    def is_key_lost(self) -> bool:
        """Return whether the key was lost, so that the new one alone signs."""
        return bool(self.lost)

    @property
    def old_origin(self) -> str:
        """Return the origin that ended."""
        return str(self.given_up["origin"])

    def statement(self) -> dict[str, Any]:
        """Return the members of the statement."""
        said: dict[str, Any] = {"workspace": self.workspace, "at": self.at, "reason": self.reason, "to": self.to}
        said |= {"from": self.given_up, "kept": self.kept}
        if self.is_key_lost:
            return {"format": BREAK_FORMAT, **said, "lost": self.lost, "public_key": self.public_key}
        return {"format": RESTORE_FORMAT, **said}

    def message(self) -> bytes | None:
        """Return the signed message."""
        return canonical_or_none(self.statement())


@dataclass(slots=True)
class Range:
    """The roots beside a range of rows, in hexadecimal, from left to right; `size` is that of the whole tree."""

    workspace: str
    origin: str
    first: int
    last: int
    size: int
    left: list[str]
    right: list[str]


@dataclass(slots=True)
class Withheld:
    """A row of which only the hash is given."""

    sequence: int
    hash: str


Record = Event | Checkpoint | Key | Restore | Range


def canonical_or_none(value: Any) -> bytes | None:
    """Return the RFC 8785 form; None if there is none."""
    try:
        return quick_canonical(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError):
        return None


def has_valid_hash(event: Event) -> bool:
    """Return whether the hash of the row matches its facts and previous hash."""
    made = canonical_or_none(event.facts) if _is_whole(event) else None
    if made is None:
        return False
    return hashlib.sha256(made + bytes.fromhex(event.previous_hash)).hexdigest() == event.hash


def has_valid_hash_at(event: Event, sequence: int) -> bool:
    """Return whether the hash of the row is valid under the number `sequence`."""
    if event.facts is None:
        return False
    facts = {**event.facts, "sequence": sequence}
    return has_valid_hash(
        Event(event.workspace, sequence, event.id, facts, event.previous_hash, event.hash),
    )


def find_hashed_sequence(event: Event, *, near: int, highest: int) -> int | None:
    """Find the number under which the hash of the row is valid, searching outwards from `near`; None if there is none.

    This tells a row that was moved or renumbered from one whose content was changed.
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
    """Return the hashed bytes before and after the sequence number."""
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
    """Return whether the row is of a known format and its hashes are such."""
    facts = event.facts
    if facts is None or not (_HASH.fullmatch(event.previous_hash) and _HASH.fullmatch(event.hash)):
        return False
    if facts.get("format") == FORMAT:
        return True
    epoch, sealed = facts.get("epoch"), facts.get("sealed")
    if facts.get("format") != FORMAT_2 or type(epoch) is not int or epoch < 1 or not isinstance(sealed, dict):
        return False
    return set(sealed) == set(MEMBERS) and all(
        isinstance(each, str) and _HASH.fullmatch(each) for each in sealed.values()
    )
