"""Stream tool calls as JSON Lines or CSV, one line per call, newest first."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from hoursmith_console.core.lists.pagination import Key, Order
from mcpbridge.audit.export.csv import csv_lines
from mcpbridge.audit.hashchain import instant
from mcpbridge.models import ToolCall

COLUMNS = (
    "at",
    "tool",
    "kind",
    "target_type",
    "target_id",
    "target_label",
    "result",
    "status",
    "code",
    "duration_ms",
    "env",
    "prefix",
    "token_name",
    "role",
    "client_name",
    "client_version",
    "connection",
    "protocol",
    "transport",
    "address",
    "request_id",
    "call_id",
    "arguments",
)
_CHUNK = 500
_ORDER = Order("at")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """One export format."""

    label: str
    content_type: str
    lines: Callable[[Iterable[Row]], Iterator[bytes]]


def export_rows(calls: "QuerySet[ToolCall]") -> Iterator[Row]:
    """Yield the columns of `calls`, newest first, in parts that hold no transaction open."""
    ordered = calls.order_by(*_ORDER.columns)
    start: Key | None = None
    while True:
        ahead = _ORDER.beyond(ordered, start) if start else ordered
        part = list(ahead.values("pk", *COLUMNS)[:_CHUNK])
        for row in part:
            yield {
                name: instant(row["at"]) if name == "at" else str(row[name]) if name == "call_id" else row[name]
                for name in COLUMNS
            }
        if len(part) < _CHUNK:
            return
        start = Key(part[-1]["at"], part[-1]["pk"])


def _jsonl(rows: Iterable[Row]) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def _csv(rows: Iterable[Row]) -> Iterator[bytes]:
    return csv_lines(COLUMNS, ([_cell(row[name]) for name in COLUMNS] for row in rows))


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


FORMATS: Mapping[str, ExportFormat] = {
    "csv": ExportFormat("CSV, for spreadsheets", "text/csv; charset=utf-8", _csv),
    "jsonl": ExportFormat("JSON Lines, one call per line", "application/x-ndjson", _jsonl),
}
