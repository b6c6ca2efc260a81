"""Reads the export formats back as a program that knows their rules alone would, and gives columns again."""

import csv
import io
import json
import re
from typing import Any

from mcpbridge.audit.export.cef import key_of
from mcpbridge.audit.export.columns import COLUMNS
from mcpbridge.audit.hashchain import FORMAT, FORMAT_2

NUMBERS = {"sequence", "status", "duration_ms", "epoch"}
JSON = {"arguments", "snapshot"}
LINE_BREAKS = {"n": "\n", "r": "\r"}
ABSENT = {"snapshot", "status", "duration_ms", "epoch", "seal"}


def facts_from_texts(texts: dict[str, str]) -> dict[str, Any]:
    """The columns from their texts, empty where there is none."""
    made: dict[str, Any] = {}
    for name in COLUMNS:
        text = texts.get(name, "")
        if name in ABSENT and text == "":
            made[name] = None
        else:
            made[name] = json.loads(text) if name in NUMBERS | JSON else text
    return of_its_format(made)


def of_its_format(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the name of its format; one of format 1 has neither epoch nor seal."""
    if row["epoch"] is not None:
        return {**row, "format": FORMAT_2}
    assert row["seal"] is None
    return {**{name: value for name, value in row.items() if name not in ("epoch", "seal")}, "format": FORMAT}


def rows_of_csv(export: bytes) -> list[dict[str, Any]]:
    """Read RFC 4180, and remove one leading apostrophe."""
    first, *rest = csv.reader(io.StringIO(export.decode(), newline=""))
    assert tuple(first) == COLUMNS
    return [facts_from_texts(dict(zip(first, map(unprotected, cells), strict=True))) for cells in rest]


def rows_of_jsonl(export: bytes) -> list[dict[str, Any]]:
    """The rows among the records, each without the name of its type."""
    records = [json.loads(line) for line in export.split(b"\n")[:-1]]
    return [{name: value for name, value in each.items() if name != "type"} for each in records if "hash" in each]


def unprotected(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell


def rows_of_cef(export: bytes) -> list[dict[str, Any]]:
    """CEF 0: seven header fields between unescaped pipes, then keys with values up to the next key."""
    return [cef_row(line) for line in export.decode().split("\n")[:-1]]


def cef_header(line: str) -> list[str]:
    return _fields(line)[0]


def _fields(line: str) -> tuple[list[str], str]:
    fields: list[str] = []
    current, position = "", 0
    while len(fields) < 7:
        sign = line[position]
        if sign == "\\":
            current += line[position + 1]
            position += 2
            continue
        if sign == "|":
            fields.append(current)
            current = ""
        else:
            current += sign
        position += 1
    return fields, line[position:]


def cef_extension(line: str) -> dict[str, str]:
    _, extension = _fields(line)
    made: dict[str, str] = {}
    starts = list(re.finditer(r"(?:^|(?<= ))([A-Za-z0-9]+)=", extension))
    for number, start in enumerate(starts):
        end = starts[number + 1].start() - 1 if number + 1 < len(starts) else len(extension)
        value = extension[start.end() : end]
        made[start[1]] = re.sub(r"\\(.)", lambda found: LINE_BREAKS.get(found[1], found[1]), value)
    return made


def cef_row(line: str) -> dict[str, Any]:
    extension = cef_extension(line)
    return facts_from_texts({name: extension[key_of(name)] for name in COLUMNS if key_of(name) in extension})


def rows_of_ocsf(export: bytes) -> list[dict[str, Any]]:
    """The columns by the table in docs/audit-format.md."""
    return [ocsf_row(json.loads(line)) for line in export.split(b"\n")[:-1]]


def ocsf_row(event: dict[str, Any]) -> dict[str, Any]:
    metadata = event["metadata"]
    made = {
        **event["unmapped"],
        "id": metadata["uid"],
        "sequence": metadata["sequence"],
        "call_id": metadata["correlation_uid"],
        "workspace": metadata["tenant_uid"],
        "at": metadata["original_time"],
        "tool": metadata["event_code"],
    }
    target = event.get("entity") or event.get("resources", [{}])[0]
    names = {
        "target_id": ("uid", ""),
        "target_label": ("name", ""),
        "target_type": ("type", ""),
        "snapshot": ("data", None),
    }
    for name, (attribute, absent) in names.items():
        if name not in made:
            made[name] = target.get(attribute, absent)
    if "api" in event:
        made["arguments"] = event["api"]["request"]["data"]
    return of_its_format(made)
