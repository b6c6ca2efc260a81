"""The formats in which the record is handed out, by name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mcpbridge.audit.export import cef, csv, jsonl, ocsf
from mcpbridge.audit.export.source import Selection, event_records


@dataclass(frozen=True, slots=True)
class Format:
    """How the record is handed out: its media type, the ending of a file's name, and the lines."""

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
