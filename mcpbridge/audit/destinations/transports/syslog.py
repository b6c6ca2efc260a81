"""Sends records to a syslog server: RFC 5424 messages, each with its length in front (RFC 6587 3.4.1), over TCP or TLS.

Syslog has no answer that confirms anything. So each batch has a connection of its own, which counts as confirmed when
the receiver has read to its end and closed it in turn.
"""

import re
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings

from mcpbridge.audit.destinations.batches import record_line
from mcpbridge.audit.destinations.targets import syslog_destination
from mcpbridge.audit.destinations.transports.deadline_socket import Connection
from mcpbridge.audit.export import cef
from mcpbridge.audit.verification.records import Checkpoint, Event
from mcpbridge.models import Phase
from mcpbridge.models.destinations import SinkFormat

_LOG_AUDIT = 13
_WARNING, _NOTICE, _INFORMATIONAL = 4, 5, 6
_APP = "hoursmith-console"
# The enterprise number that RFC 5612 keeps for examples: Hoursmith has none of its own.
_DATA_ID = "hoursmith@32473"
_BOM = b"\xef\xbb\xbf"
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")
_QUOTED = str.maketrans({"\\": r"\\", '"': r"\"", "]": r"\]"})


def syslog_send(address: str, frames: bytes, *, limit_s: float) -> None:
    """Return once the receiver has read all of `frames`.

    Raises UndeliveredError where it did not, and RefusedDestinationError where it must not even be asked.
    """
    with Connection(syslog_destination(address), limit_s=limit_s) as connection:
        connection.sendall(frames)
        connection.finish()


def record_frames(records: Iterable[Event | Checkpoint], format: str) -> bytes:
    """The records as one stream of frames."""
    host = _host()
    return b"".join(_record_frame(record, format, host) for record in records)


def trial_frame(*, workspace: str, at: str, text: str) -> bytes:
    """A message that is no row, to see whether anything arrives."""
    return _framed(_INFORMATIONAL, at, _host(), "test", {"workspace": workspace}, text.encode())


def _record_frame(record: Event | Checkpoint, format: str, host: str) -> bytes:
    data = {"workspace": record.workspace, "sequence": str(record.sequence)}
    message = _cef(record) if format == SinkFormat.CEF else record_line(record)
    if isinstance(record, Checkpoint):
        return _framed(_INFORMATIONAL, record.at, host, record.record, data, message)
    facts = record.facts or {}
    severity = _WARNING if facts.get("phase") == Phase.UNKNOWN else _NOTICE
    at = str(facts.get("recorded_at") or "")
    return _framed(severity, at, host, "event", {**data, "id": record.id}, message)


def _framed(severity: int, at: str, host: str, kind: str, data: dict[str, str], message: bytes) -> bytes:
    written = " ".join(f'{name}="{text.translate(_QUOTED)}"' for name, text in data.items())
    header = f"<{8 * _LOG_AUDIT + severity}>1 {at or '-'} {host} {_APP} - {kind} [{_DATA_ID} {written}] "
    message = message.rstrip(b"\n")
    # A message that is UTF-8 and more than ASCII says so with a byte order mark (RFC 5424 6.4).
    mark = b"" if message.isascii() else _BOM
    framed = header.encode(errors="backslashreplace") + mark + message
    return b"%d %s" % (len(framed), framed)


def _cef(record: Event | Checkpoint) -> bytes:
    if isinstance(record, Event):
        return next(cef.lines([record]))
    kind = record.record
    said = {
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
    return cef.cef_line(kind, kind, 1, {name: text for name, text in said.items() if text})


def _host() -> str:
    name = urlsplit(settings.PUBLIC_URL).hostname or socket.gethostname()
    return _UNPRINTABLE.sub("_", name)[:255] or "-"
