"""Export formats by name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mcpbridge.audit.export import cef, csv, jsonl, ocsf
from mcpbridge.audit.export.source import Selection, event_records


@dataclass(frozen=True, slots=True)
class Format:
    """An export format: its media type, file suffix, and function that yields lines."""

    name: str
    content_type: str
    suffix: str
    lines: Callable[[Selection], Iterator[bytes]]


FORMATS = {
    made.name: made
    for made in (
        Format("jsonl", jsonl.CONTENT_TYPE, "jsonl", jsonl.lines),
        Format("csv", csv.CONTENT_TYPE, "csv", lambda selection: csv.lines(event_records(selection))),
        Format("ocsf", ocsf.CONTENT_TYPE, "ocsf.jsonl", lambda selection: ocsf.lines(event_records(selection))),
        Format("cef", cef.CONTENT_TYPE, "cef", lambda selection: cef.lines(event_records(selection))),
    )
}
