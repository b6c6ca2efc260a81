"""CEF, ArcSight's Common Event Format (version 0), one event a line, without a syslog header.

In the header `\\` and `|` are escaped, in the extension `\\`, `=` and line breaks (as `\\n` and `\\r`). Columns
without a key in the CEF dictionary use custom keys, `HoursmithConsole…`; empty ones are omitted.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any

from mcpbridge import __version__
from mcpbridge.audit.export.columns import COLUMNS, PRODUCT, VENDOR, cell_text, columns_of
from mcpbridge.audit.export.ocsf import milliseconds
from mcpbridge.audit.verification.records import Event
from mcpbridge.models import AuditPhase, CallKind, Result

CONTENT_TYPE = "text/plain; charset=utf-8"
# Keys of the CEF dictionary that hold a whole column, with a label if they need one.
_KEYS = {
    "id": "externalId",
    "sequence": "cn1",
    "workspace": "cs1",
    "hash": "cs2",
    "previous_hash": "cs3",
    "call_id": "cs4",
    "tool": "act",
    "result": "outcome",
    "code": "reason",
    "note": "msg",
    "role": "spriv",
    "client_name": "requestClientApplication",
}
_OWN = "HoursmithConsole"
_HEADER = str.maketrans({"\\": r"\\", "|": r"\|", "\n": " ", "\r": " "})
_EXTENSION = str.maketrans({"\\": r"\\", "=": r"\=", "\n": r"\n", "\r": r"\r"})


def lines(events: Iterable[Event]) -> Iterator[bytes]:
    """Yield one line for each row."""
    for event in events:
        yield _event_line(columns_of(event))


def key_of(column: str) -> str:
    """Return the CEF key of a column."""
    return _KEYS.get(column) or _OWN + "".join(part.capitalize() for part in column.split("_"))


def cef_line(signature: str, name: str, severity: int, extension: dict[str, str]) -> bytes:
    """Build one line from the event class, name, severity (0 to 10) and extension."""
    header = (VENDOR, PRODUCT, __version__, signature, name, str(severity))
    written = " ".join(f"{key}={text.translate(_EXTENSION)}" for key, text in extension.items())
    line = "|".join(["CEF:0", *(text.translate(_HEADER) for text in header), written])
    return line.encode(errors="backslashreplace") + b"\n"


def _event_line(row: dict[str, Any]) -> bytes:
    what = row["result"] or row["phase"]
    extension = {**_derived(row)}
    for name in COLUMNS:
        text = cell_text(name, row[name])
        key = key_of(name)
        if text:
            extension[key] = text
            if key.startswith(("cn", "cs")):
                extension[f"{key}Label"] = name
    return cef_line(f"{row['tool']}:{what}", f"{row['tool']} {what}", _severity(row), extension)


def _derived(row: dict[str, Any]) -> dict[str, str]:
    """Return extension keys whose values are derived from columns that are exported in full elsewhere."""
    made = {"rt": str(milliseconds(row["recorded_at"])), "start": str(milliseconds(row["at"]))}
    who = row["actor"] or row["token_name"]
    if who:
        made["suser"] = who
    try:
        address = ipaddress.ip_address(row["address"] or "")
    except ValueError:
        return made
    if address.version == 4:
        return {**made, "src": str(address)}
    return {**made, "c6a2": str(address), "c6a2Label": "Source IPv6 Address"}


def _severity(row: dict[str, Any]) -> int:
    """Return the severity, 0 to 10: 8 for an unknown outcome, 5 for a destructive call that succeeded, else 3."""
    if row["phase"] == AuditPhase.UNKNOWN:
        return 8
    return 5 if row["kind"] == CallKind.DESTRUCTIVE and row["result"] == Result.SUCCEEDED else 3
