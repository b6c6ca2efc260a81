"""Send records to a syslog server as RFC 5424 messages with octet counting (RFC 6587 3.4.1), over TCP or TLS.

Syslog has no acknowledgement. So each batch has its own connection and counts as acknowledged when the receiver has
read it to the end and closed its side.
"""

import re
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings

from mcpbridge.audit.destinations.batches import Delivered, record_line
from mcpbridge.audit.destinations.targets import syslog_target
from mcpbridge.audit.destinations.transports.deadline_socket import DeadlineSocket
from mcpbridge.audit.export import cef
from mcpbridge.audit.verification.records import Checkpoint, Event, Restore
from mcpbridge.models import AuditPhase
from mcpbridge.models.destinations import DestinationFormat

_LOG_AUDIT = 13
_CRITICAL, _WARNING, _NOTICE, _INFORMATIONAL = 2, 4, 5, 6
_APP = "hoursmith-console"
# The enterprise number that RFC 5612 reserves for examples; Hoursmith has none.
_DATA_ID = "hoursmith@32473"
_BOM = b"\xef\xbb\xbf"
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")
_QUOTED = str.maketrans({"\\": r"\\", '"': r"\"", "]": r"\]"})


def send_syslog(address: str, frames: bytes, *, limit_s: float) -> None:
    """Send `frames` and return once the receiver has read all of them.

    Raises UndeliveredError, and RefusedTargetError if the address must not be called.
    """
    with DeadlineSocket(syslog_target(address), limit_s=limit_s) as connection:
        connection.sendall(frames)
        connection.finish()


def record_frames(records: Iterable[Delivered], format: str) -> bytes:
    """Return the records as one stream of frames."""
    host = _host()
    return b"".join(_record_frame(record, format, host) for record in records)


def test_message_frame(*, workspace: str, at: str, text: str) -> bytes:
    """Return the frame of a test message, which is not an audit row."""
    return _frame(_INFORMATIONAL, at, _host(), "test", {"workspace": workspace}, text.encode())


def alarm_frame(*, workspace: str, at: str, line: bytes) -> bytes:
    """Return the frame of an alarm about the audit log, given its line of JSON."""
    return _frame(_CRITICAL, at, _host(), "alarm", {"workspace": workspace}, line)


def _record_frame(record: Delivered, format: str, host: str) -> bytes:
    message = _cef(record) if format == DestinationFormat.CEF else record_line(record)
    if isinstance(record, Restore):
        kept = {"workspace": record.workspace, "sequence": str(record.kept["sequence"])}
        return _frame(_WARNING, record.at, host, "restore", kept, message)
    data = {"workspace": record.workspace, "sequence": str(record.sequence)}
    if isinstance(record, Checkpoint):
        return _frame(_INFORMATIONAL, record.at, host, record.record, data, message)
    facts = record.facts or {}
    severity = _WARNING if facts.get("phase") == AuditPhase.UNKNOWN else _NOTICE
    at = str(facts.get("recorded_at") or "")
    return _frame(severity, at, host, "event", {**data, "id": record.id}, message)


def _frame(severity: int, at: str, host: str, kind: str, data: dict[str, str], message: bytes) -> bytes:
    written = " ".join(f'{name}="{text.translate(_QUOTED)}"' for name, text in data.items())
    header = f"<{8 * _LOG_AUDIT + severity}>1 {at or '-'} {host} {_APP} - {kind} [{_DATA_ID} {written}] "
    message = message.rstrip(b"\n")
    # A UTF-8 message that is not ASCII begins with a byte order mark (RFC 5424 6.4).
    mark = b"" if message.isascii() else _BOM
    frame = header.encode(errors="backslashreplace") + mark + message
    return b"%d %s" % (len(frame), frame)


def _cef(record: Delivered) -> bytes:
    if isinstance(record, Event):
        return next(cef.lines([record]))
    if isinstance(record, Restore):
        return _cef_restore(record)
    kind = record.record
    extension = {
        "cs1": record.workspace,
        "cs1Label": "workspace",
        "cn1": str(record.sequence),
        "cn1Label": "sequence",
        "cs2": record.hash,
        "cs2Label": "hash",
        "HoursmithConsoleAt": record.at,
        "HoursmithConsoleKeyId": record.key_id,
        "HoursmithConsoleSignature": record.signature,
        "reason": record.reason,
        "HoursmithConsoleRows": "" if record.rows is None else str(record.rows),
    }
    return cef.cef_line(kind, kind, 1, {name: text for name, text in extension.items() if text})


def _cef_restore(restore: Restore) -> bytes:
    extension = {
        "cs1": restore.workspace,
        "cs1Label": "workspace",
        "cn1": str(restore.kept["sequence"]),
        "cn1Label": "sequence",
        "cs2": str(restore.kept["hash"]),
        "cs2Label": "hash",
        "cs3": restore.to,
        "cs3Label": "origin",
        "HoursmithConsoleAt": restore.at,
        "HoursmithConsoleGivenUpTo": str(restore.given_up["sequence"]),
        "HoursmithConsoleKeyId": restore.key_id,
        "HoursmithConsoleSignature": restore.signature,
        "reason": restore.reason,
    }
    return cef.cef_line("restore", "restore", 8, extension)


def _host() -> str:
    name = urlsplit(settings.PUBLIC_URL).hostname or socket.gethostname()
    return _UNPRINTABLE.sub("_", name)[:255] or "-"
