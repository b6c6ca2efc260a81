"""Read the lines of exports, and single checkpoints from the server log."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from mcpbridge.audit.hashchain import FORMAT, FORMAT_2
from mcpbridge.audit.tree.sealed import MEMBERS
from mcpbridge.audit.tree.statements import CHECKPOINT_FORMAT
from mcpbridge.audit.verification.announcements import key_of
from mcpbridge.audit.verification.findings import UnusableInputError
from mcpbridge.audit.verification.records import (
    BREAK_FORMAT,
    RESTORE_FORMAT,
    Checkpoint,
    Event,
    Key,
    Range,
    Record,
    Restore,
    Withheld,
)

_HASHES = ("previous_hash", "hash")
_HASH = re.compile(r"[0-9a-f]{64}")
_WITHHELD = re.compile(rb'\{"type":"withheld","sequence":([1-9][0-9]{0,14}),"hash":"([0-9a-f]{64})"\}\n?')


class Export:
    """Reads an export. Raises UnusableInputError with the number of the invalid line."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Read the first line."""
        self._lines = enumerate(lines, start=1)
        self._count = 0
        self._stated_lines: int | None = None
        number, first = next(self._lines, (1, b""))
        header = parsed_object(number, first)
        if header.get("type") != "export" or header.get("format") not in (FORMAT, FORMAT_2):
            raise UnusableInputError(f"This is not an export in the format {FORMAT}: its first line says otherwise.")
        workspaces = header.get("workspaces")
        if not isinstance(workspaces, list) or not all(isinstance(name, str) for name in workspaces):
            raise UnusableInputError("Line 1: the workspaces of the export are missing.")
        self.header = header
        self.workspaces: list[str] = workspaces
        self.is_filtered = bool(header.get("filters")) or header.get("complete") is False

    def records(self) -> Iterator[Record]:
        """Yield the records between the first and the last line."""
        for number, line in self._lines:
            if (value := self._next(number, line)) is not None:
                yield record_of(number, value)

    def evidence_records(self) -> Iterator[Event | Restore | Range | Withheld]:
        """Yield the records of evidence, which has withheld rows, but no keys, cuts and checkpoints of its own."""
        for number, line in self._lines:
            # There may be a million, so they are read without a JSON parser.
            if self._stated_lines is None and (quick := _WITHHELD.fullmatch(line)):
                self._count += 1
                yield Withheld(int(quick[1]), quick[2].decode())
                continue
            if (value := self._next(number, line)) is None:
                continue
            record = _withheld(number, value) if value.get("type") == "withheld" else record_of(number, value)
            if isinstance(record, Key | Checkpoint):
                raise UnusableInputError(f"Line {number} has a type that evidence does not have.")
            yield record

    def _next(self, number: int, line: bytes) -> dict[str, Any] | None:
        """Return the object of a line; None for the last one."""
        value = parsed_object(number, line)
        if self._stated_lines is not None:
            raise UnusableInputError(f"Line {number}: there is data after the last line of the export.")
        if value.get("type") == "end":
            self._stated_lines = value.get("lines") if type(value.get("lines")) is int else -1
            return None
        self._count += 1
        return value

    def check_complete(self) -> None:
        """Raise UnusableInputError if lines are missing. Check the chains first."""
        if self._stated_lines is None:
            raise UnusableInputError(
                f"The export is truncated: it ends after {self._count} lines, without its last line."
            )
        if self._stated_lines != self._count:
            raise UnusableInputError(f"The export states {self._stated_lines} lines, but has {self._count}.")


def parsed_object(number: int, line: bytes) -> dict[str, Any]:
    """Parse a line as an object without duplicate names (I-JSON, RFC 7493). Raises UnusableInputError."""
    try:
        value = orjson.loads(line)
        is_plain = orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE) == line
    except orjson.JSONDecodeError:
        is_plain = False
    if not is_plain:
        # It may only be spaced differently, or have a duplicate name, which parsers read differently.
        try:
            value = json.loads(line, object_pairs_hook=_unambiguous, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise UnusableInputError(f"Line {number} is not I-JSON: {error}") from None
    if not isinstance(value, dict):
        raise UnusableInputError(f"Line {number} is not a JSON object.")
    return value


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("duplicate name in an object")
    return made


def _refuse_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number")


def record_of(number: int, value: dict[str, Any]) -> Record:
    """Return the record of a parsed line. Raises UnusableInputError."""
    kind = value.pop("type", None)
    try:
        if kind == "event":
            return _event(value)
        if kind in ("checkpoint", "cut"):
            return _checkpoint(value, is_cut=kind == "cut")
        if kind == "key":
            return key_of(value)
        if kind == "restore":
            return restore_of(value)
        if kind == "range":
            return range_of(value)
    except (KeyError, TypeError) as error:
        raise UnusableInputError(f"Line {number} is not a valid {kind}: {error!r}") from None
    raise UnusableInputError(f"Line {number} is of the unknown type {kind!r}.")


def _withheld(number: int, value: dict[str, Any]) -> Withheld:
    try:
        if not _HASH.fullmatch(_text(value["hash"])):
            raise TypeError("a hash is missing")
        return Withheld(_number(value["sequence"]), value["hash"])
    except (KeyError, TypeError) as error:
        raise UnusableInputError(f"Line {number} is not a withheld row: {error!r}") from None


def _event(value: dict[str, Any]) -> Event:
    said = set(value)
    previous_hash, hash = (value.pop(name, "") for name in _HASHES)
    sequence = value["sequence"]
    is_sealed = value.get("format") == FORMAT_2
    shown = {name: value.pop(name) for name in MEMBERS if name in value} if is_sealed else None
    # What is there but empty must not pass for what is not there.
    seal = (value.pop("seal") or False) if is_sealed and "seal" in value else ""
    salts = value.pop("salts", None) if is_sealed else None
    if is_sealed and "salts" in said and not isinstance(salts, dict):
        salts = False
    return Event(
        workspace=_text(value["workspace"]),
        sequence=sequence if type(sequence) is int else 0,
        id=str(value.get("id")),
        facts=value,
        previous_hash=previous_hash if isinstance(previous_hash, str) else "",
        hash=hash if isinstance(hash, str) else "",
        shown=shown,
        seal=seal,
        salts=salts,
    )


def checkpoint_from_line(line: bytes) -> Checkpoint:
    """Return the checkpoint on a line of an export or of the server log. Raises UnusableInputError."""
    record = record_of(1, parsed_object(1, line))
    if not isinstance(record, Checkpoint) or record.is_cut:
        raise UnusableInputError("The line is not a checkpoint.")
    return record


def _checkpoint(value: dict[str, Any], *, is_cut: bool) -> Checkpoint:
    return Checkpoint(
        workspace=_text(value["workspace"]),
        sequence=_number(value["sequence"]),
        hash=_text(value["hash"]),
        at=_text(value["at"]),
        key_id=_text(value["key_id"]),
        signature=_text(value["signature"]),
        reason="" if is_cut else _text(value.get("reason", "")),
        rows=_number(value["rows"]) if is_cut else None,
        **_tree_facts(value, is_cut=is_cut),
    )


def _tree_facts(value: dict[str, Any], *, is_cut: bool) -> dict[str, Any]:
    """Return what a checkpoint of format 2 states beside the head of the chain; nothing in format 1."""
    if "format" not in value:
        return {}
    if value["format"] != CHECKPOINT_FORMAT or is_cut or not value["origin"]:
        raise TypeError("its format is unknown")
    return {
        "origin": _text(value["origin"]),
        "root": _text(value["root"]),
        "epoch": _number(value["epoch"]),
        "first": _number(value["first"]),
        "note": _text(value.get("note", "")),
    }


def restore_of(value: dict[str, Any]) -> Restore:
    """Build the statement of a restore or lost key from a JSON object. Raises KeyError or TypeError."""
    form = value["format"]
    if form not in (RESTORE_FORMAT, BREAK_FORMAT):
        raise TypeError("its format is unknown")
    is_key_lost = form == BREAK_FORMAT
    heads = {}
    for name, texts in (("from", ("origin", "hash", "root")), ("kept", ("hash", "root"))):
        head = value[name]
        if not isinstance(head, dict) or set(head) != {*texts, "sequence"}:
            raise TypeError(f"{name} is not a head")
        heads[name] = {"sequence": _number(head["sequence"]), **{each: _text(head[each]) for each in texts}}
    if is_key_lost and not value["lost"]:
        raise TypeError("the lost key is missing")
    return Restore(
        workspace=_text(value["workspace"]),
        at=_text(value["at"]),
        reason=_text(value["reason"]),
        given_up=heads["from"],
        kept=heads["kept"],
        to=_text(value["to"]),
        key_id=_text(value["key_id"]),
        signature=_text(value["signature"]),
        lost=_text(value["lost"]) if is_key_lost else "",
        public_key=_text(value["public_key"]) if is_key_lost else "",
    )


def range_of(value: dict[str, Any]) -> Range:
    """Build a range from a JSON object. Raises KeyError or TypeError."""
    sides = {}
    for name in ("left", "right"):
        if not isinstance(value[name], list) or not all(_HASH.fullmatch(_text(each)) for each in value[name]):
            raise TypeError("a hash is missing")
        sides[name] = value[name]
    first, last, size = (_number(value[name]) for name in ("first", "last", "size"))
    return Range(_text(value["workspace"]), _text(value["origin"]), first, last, size, **sides)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is missing")
    return value


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError("a number is missing")
    return value
