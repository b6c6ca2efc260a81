"""Write and read JSON Lines, one object a line: the only format that can be verified (`docs/verify_audit.py`).

The first line describes the export, the last one states the number of lines before it, so that a truncated file is
detected. Between them are keys, cuts, rows and checkpoints.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import orjson
from django.utils import timezone

from mcpbridge.audit.export.source import Selection, chain_records, workspaces_of
from mcpbridge.audit.hashchain import FORMAT, FORMAT_2, instant, is_finite
from mcpbridge.audit.tree.sealed import MEMBERS
from mcpbridge.audit.verification.findings import UnusableInputError
from mcpbridge.audit.verification.records import Checkpoint, Event, Key, Record
from mcpbridge.audit.verification.trust import key_of

CONTENT_TYPE = "application/x-ndjson"
_HASHES = ("previous_hash", "hash")


def lines(selection: Selection) -> Iterator[bytes]:
    """Yield the lines of the export. Without filters it can be verified completely."""
    yield first_line(workspaces_of(selection), filters=selection.filters, is_whole=selection.is_whole)
    yield from record_lines(chain_records(selection))


def first_line(workspaces: list[str], *, filters: dict[str, str], is_whole: bool) -> bytes:
    """Build the first line: the workspaces, the filters, and whether the export is complete."""
    return _line(
        {
            "type": "export",
            "format": FORMAT,
            "workspaces": workspaces,
            "exported_at": instant(timezone.now()),
            "filters": filters,
            "complete": is_whole,
        }
    )


def checkpoint_line(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as a line of an export, line break included."""
    return _line(_object(checkpoint))


def record_lines(records: Iterable[Record]) -> Iterator[bytes]:
    """Yield one line for each record, and the last line."""
    count = 0
    for record in records:
        yield _record_line(record)
        count += 1
    yield _line({"type": "end", "lines": count})


def _object(record: Record) -> dict[str, Any]:
    if isinstance(record, Event):
        facts = record.facts or {"workspace": record.workspace, "sequence": record.sequence, "id": record.id}
        return {"type": "event", **facts, **_shown(record), "previous_hash": record.previous_hash, "hash": record.hash}
    if isinstance(record, Key):
        return {
            "type": "key",
            "key_id": record.key_id,
            "public_key": record.public_key,
            "since": record.since,
            "announced_by": record.announced_by,
            "signature": record.signature,
            **({"countersignature": record.countersignature} if record.countersignature else {}),
        }
    said = {
        "workspace": record.workspace,
        "sequence": record.sequence,
        "hash": record.hash,
        "at": record.at,
        "key_id": record.key_id,
        "signature": record.signature,
    }
    if record.is_cut:
        return {"type": "cut", **said, "rows": record.rows}
    return {"type": "checkpoint", **said, "reason": record.reason}


def _shown(event: Event) -> dict[str, Any]:
    """Return the sealed members that the row shows, with what opens them."""
    if event.facts is None or event.shown is None:
        return {}
    opened = {"seal": event.seal} if event.seal else {"salts": event.salts}
    return {**event.shown, **opened}


def _line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def _record_line(record: Record) -> bytes:
    try:
        line = _line(_object(record))
        # orjson writes null for NaN and infinity.
        if (
            b"null" not in line
            or not isinstance(record, Event)
            or (is_finite(record.facts) and is_finite(record.shown))
        ):
            return line
    except orjson.JSONEncodeError:
        pass
    # The console never wrote this; without its facts it is reported as an edited row.
    return _line(_object(replace(record, facts=None)) if isinstance(record, Event) else {"type": "unreadable"})


class Export:
    """Reads an export. Raises UnusableInputError with the number of the invalid line."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Read the first line."""
        self._lines = enumerate(lines, start=1)
        self._count = 0
        self._stated_lines: int | None = None
        number, first = next(self._lines, (1, b""))
        header = _read(number, first)
        if header.get("type") != "export" or header.get("format") not in (FORMAT, FORMAT_2):
            raise UnusableInputError(f"This is not an export in the format {FORMAT}: its first line says otherwise.")
        workspaces = header.get("workspaces")
        if not isinstance(workspaces, list) or not all(isinstance(name, str) for name in workspaces):
            raise UnusableInputError("Line 1: the workspaces of the export are missing.")
        self.workspaces: list[str] = workspaces
        self.is_filtered = bool(header.get("filters")) or header.get("complete") is False

    def records(self) -> Iterator[Record]:
        """Yield the records between the first and the last line."""
        for number, line in self._lines:
            value = _read(number, line)
            if self._stated_lines is not None:
                raise UnusableInputError(f"Line {number}: there is data after the last line of the export.")
            if value.get("type") == "end":
                self._stated_lines = value.get("lines") if type(value.get("lines")) is int else -1
                continue
            self._count += 1
            yield _record(number, value)

    def check_complete(self) -> None:
        """Raise UnusableInputError if lines are missing. Check the chains first."""
        if self._stated_lines is None:
            raise UnusableInputError(
                f"The export is truncated: it ends after {self._count} lines, without its last line."
            )
        if self._stated_lines != self._count:
            raise UnusableInputError(f"The export states {self._stated_lines} lines, but has {self._count}.")


def _read(number: int, line: bytes) -> dict[str, Any]:
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


def _record(number: int, value: dict[str, Any]) -> Record:
    kind = value.pop("type", None)
    try:
        if kind == "event":
            return _event(value)
        if kind in ("checkpoint", "cut"):
            return _checkpoint(value, is_cut=kind == "cut")
        if kind == "key":
            return key_of(value)
    except (KeyError, TypeError) as error:
        raise UnusableInputError(f"Line {number} is not a valid {kind}: {error!r}") from None
    raise UnusableInputError(f"Line {number} is of the unknown type {kind!r}.")


def _event(value: dict[str, Any]) -> Event:
    previous_hash, hash = (value.pop(name, "") for name in _HASHES)
    sequence = value["sequence"]
    is_sealed = value.get("format") == FORMAT_2
    shown = {name: value.pop(name) for name in MEMBERS if name in value} if is_sealed else None
    seal, salts = (value.pop("seal", ""), value.pop("salts", None)) if is_sealed else ("", None)
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
    record = _record(1, _read(1, line))
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
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is missing")
    return value


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError("a number is missing")
    return value
