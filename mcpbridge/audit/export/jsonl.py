"""Write and read JSON Lines, one object a line: the only format that can be verified (`docs/verify_audit.py`).

The first line describes the export, the last one states the number of lines before it, so that a truncated file is
detected. Between them are keys, cuts, rows and checkpoints.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any

import orjson
from django.utils import timezone

from mcpbridge.audit.export.source import Selection, chain_records, has_format_2, workspaces_of
from mcpbridge.audit.hashchain import FORMAT, FORMAT_2, instant, is_finite
from mcpbridge.audit.tree.statements import CHECKPOINT_FORMAT, KEY_FORMAT
from mcpbridge.audit.verification.records import Checkpoint, Event, Key, Range, Record, Restore

CONTENT_TYPE = "application/x-ndjson"


def lines(selection: Selection) -> Iterator[bytes]:
    """Yield the lines of the export. Without filters it can be verified completely."""
    yield first_line(workspaces_of(selection), filters=selection.filters, is_whole=selection.is_whole)
    yield from record_lines(chain_records(selection))


def first_line(workspaces: list[str], *, filters: dict[str, str], is_whole: bool) -> bytes:
    """Build the first line: the workspaces, the filters, and whether the export is complete."""
    return _line(
        {
            "type": "export",
            "format": FORMAT_2 if has_format_2(workspaces) else FORMAT,
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
    match record:
        case Event():
            facts = record.facts or {"workspace": record.workspace, "sequence": record.sequence, "id": record.id}
            hashes = {"previous_hash": record.previous_hash, "hash": record.hash}
            return {"type": "event", **facts, **_shown(record), **hashes}
        case Key():
            return {"type": "key", **key_facts(record)}
        case Restore():
            return {"type": "restore", **record.statement(), "key_id": record.key_id, "signature": record.signature}
        case Range():
            return {"type": "range", **asdict(record)}
        case Checkpoint():
            return _signed_head(record)


def _shown(event: Event) -> dict[str, Any]:
    """Return the sealed members that the row shows, with what opens them."""
    if event.facts is None or not event.shown:
        return {}
    return {**event.shown, **({"seal": event.seal} if event.seal else {"salts": event.salts})}


def key_facts(key: Key) -> dict[str, Any]:
    """Return the members of a key's announcement, as a line of an export has them."""
    signed = {"since": key.since, "signature": key.signature}
    if key.countersignature:
        signed["countersignature"] = key.countersignature
    if key.use:
        named = {"format": KEY_FORMAT, "public_key": key.public_key, "predecessor": key.predecessor, "use": key.use}
        return {**named, **signed}
    return {"key_id": key.key_id, "public_key": key.public_key, "announced_by": key.announced_by, **signed}


def _signed_head(head: Checkpoint) -> dict[str, Any]:
    said = {"workspace": head.workspace, "sequence": head.sequence, "hash": head.hash, "at": head.at}
    signed = {"key_id": head.key_id, "signature": head.signature}
    if head.is_cut:
        return {"type": "cut", **said, **signed, "rows": head.rows}
    tree = {"format": CHECKPOINT_FORMAT, "origin": head.origin, "epoch": head.epoch, "first": head.first}
    tree |= {"root": head.root, "note": head.note}
    return {"type": "checkpoint", **said, **(tree if head.origin else {}), **signed, "reason": head.reason}


def _line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def _record_line(record: Record) -> bytes:
    try:
        line = _line(_object(record))
        # orjson writes null for NaN and infinity.
        if b"null" not in line or not isinstance(record, Event) or is_finite([record.facts, record.shown]):
            return line
    except orjson.JSONEncodeError:
        pass
    # The console never wrote this; without its facts it is reported as an edited row.
    return _line(_object(replace(record, facts=None)) if isinstance(record, Event) else {"type": "unreadable"})
