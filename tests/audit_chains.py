"""Audit chains made in memory, and everything that somebody might do to one."""

import base64
import copy
import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mcpbridge.audit.export.jsonl import record_lines
from mcpbridge.audit.hashchain import FORMAT, Head, canonical, facts, genesis, instant, link, row_hash
from mcpbridge.audit.signing import SigningKeyPair, cut_message, head_message, key_message, key_pair
from mcpbridge.audit.tree.sealed import MEMBERS
from mcpbridge.audit.verification import Checkpoint, Event, Key, Record

KEY = key_pair("the signing key of a test")
NEXT_KEY = key_pair("the key after it")
STRANGER = key_pair("a key that nobody announced")
START = datetime(2026, 11, 23, 10, 42, 7, 123456, tzinfo=UTC)
WORKSPACE = "org-1"


def a_key(pair: SigningKeyPair = KEY, announced_by: SigningKeyPair | None = None) -> Key:
    """The record of a key; the first one unless another announces it."""
    announcer = announced_by.key_id if announced_by else ""
    message = key_message(key_id=pair.key_id, public_key=pair.public_key, since=START, announced_by=announcer)
    own = pair.sign(message) if announced_by else ""
    return Key(pair.key_id, pair.public_key, instant(START), announcer, (announced_by or pair).sign(message), own)


def key_file(*keys: Key) -> str:
    """What /audit/key serves."""
    names = ("key_id", "public_key", "since", "announced_by", "signature", "countersignature")
    listed = [{name: getattr(key, name) for name in names} for key in keys or (a_key(),)]
    return json.dumps({"keys": listed, "current": listed[-1]["key_id"]})


def pem(pair: SigningKeyPair = KEY) -> str:
    """The same key as other tools write it (RFC 8410)."""
    prefix = bytes.fromhex("302a300506032b6570032100")
    body = base64.b64encode(prefix + base64.b64decode(pair.public_key)).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"


def columns(number: int, workspace: str = WORKSPACE, **more: Any) -> dict[str, Any]:
    """A row as the record holds it, before it has a place."""
    return {
        "id": uuid.uuid5(uuid.NAMESPACE_URL, f"{workspace} {number} {sorted(more)}"),
        "phase": "intent" if number % 2 else "outcome",
        "recorded_at": START + timedelta(seconds=number, microseconds=7),
        "org_id": workspace,
        "org_name": "Studio Nord",
        "call_id": uuid.uuid5(uuid.NAMESPACE_URL, f"call {workspace} {number // 2}"),
        "at": START + timedelta(seconds=number),
        "tool": "delete_client",
        "kind": "destructive",
        "target_type": "client",
        "target_id": "6b1f",
        "target_label": "Glöbex 🧾",
        "arguments": {"id": "6b1f", "n": 0.5},
        "snapshot": {"rate": "85.00", "hours": [1, 0.25, None]} if number % 2 else None,
        "snapshot_fault": "",
        "result": "" if number % 2 else "succeeded",
        "status": None if number % 2 else 204,
        "code": "",
        "duration_ms": None if number % 2 else 12.5,
        "actor": "",
        "note": "",
        "env": "live",
        "prefix": "4f8a2c1bdedf",
        "token_name": "Ana's laptop",
        "role": "OWNER",
        "client_name": "Claude Desktop",
        "client_version": "1.2",
        "connection": "",
        "protocol": "2026-07-28",
        "transport": "http",
        "address": "127.0.0.1",
        "request_id": "r-1",
        **more,
    }


def an_event(previous: Head, workspace: str = WORKSPACE, *, epoch: int = 0, **more: Any) -> Event:
    """The next row behind `previous`, of format 2 if it has an epoch."""
    row = columns(previous.sequence + 1, workspace, **more)
    link(row, previous, epoch=epoch)
    opened = {"shown": {name: row[name] for name in MEMBERS}, "seal": row["seal"].hex()} if epoch else {}
    return Event(workspace, row["sequence"], str(row["id"]), facts(row), row["previous_hash"], row["hash"], **opened)


def rows_behind(head: Head, count: int, workspace: str = WORKSPACE, **more: Any) -> list[Event]:
    """The next `count` rows."""
    made: list[Event] = []
    for _ in range(count):
        made.append(an_event(head, workspace, **more))
        head = head_of(made[-1])
    return made


def head_of(event: Event) -> Head:
    return Head(event.sequence, event.hash)


def a_checkpoint(head: Head, workspace: str = WORKSPACE, key: SigningKeyPair = KEY) -> Checkpoint:
    """A checkpoint at `head`."""
    at = START + timedelta(days=1, seconds=head.sequence)
    message = head_message(org_id=workspace, sequence=head.sequence, hash=head.hash, at=at)
    return Checkpoint(workspace, head.sequence, head.hash, instant(at), key.key_id, key.sign(message), "rows")


def a_cut(head: Head, rows: int, workspace: str = WORKSPACE, key: SigningKeyPair = KEY) -> Checkpoint:
    """A cut at `head`."""
    at = START + timedelta(days=2)
    message = cut_message(org_id=workspace, sequence=head.sequence, hash=head.hash, at=at, rows=rows)
    return Checkpoint(workspace, head.sequence, head.hash, instant(at), key.key_id, key.sign(message), rows=rows)


def a_chain(
    length: int,
    checkpoints: Sequence[int] = (),
    *,
    cut: int = 0,
    workspace: str = WORKSPACE,
    rows: Sequence[Event] | None = None,
) -> list[Record]:
    """A chain of `length` rows, of which those up to `cut` were removed, with checkpoints at some of its rows."""
    events = list(rows) if rows is not None else rows_behind(genesis(workspace), length, workspace)
    heads = [genesis(workspace), *map(head_of, events)]
    cuts = [a_cut(heads[cut], cut, workspace)] if cut else []
    signed = [a_checkpoint(heads[place], workspace) for place in checkpoints]
    return [a_key(), *cuts, *sorted_records([*events[cut:], *signed])]


def sorted_records(records: Sequence[Event | Checkpoint]) -> list[Event | Checkpoint]:
    """The order in which a database hands them out."""
    return sorted(records, key=lambda each: (each.sequence, isinstance(each, Checkpoint)))


def changed(event: Event, **values: Any) -> Event:
    """The row with some facts changed, and neither hash."""
    made = copy.deepcopy(event)
    assert made.facts is not None
    made.facts.update(values)
    return replace(made, sequence=made.facts["sequence"], id=made.facts["id"])


def rehashed(event: Event, previous_hash: str | None = None) -> Event:
    """The row with the hash that its facts have now."""
    previous = event.previous_hash if previous_hash is None else previous_hash
    return replace(event, previous_hash=previous, hash=row_hash(canonical(event.facts), previous))


def export_of(records: Sequence[Record], workspaces: Sequence[str] = (WORKSPACE,), **header: Any) -> list[bytes]:
    """The lines of an export of `records`."""
    first = {"type": "export", "format": FORMAT, "workspaces": list(workspaces), "filters": {}, **header}
    return [json.dumps(first).encode() + b"\n", *record_lines(records)]
