"""Send a batch by the transport of its destination."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import orjson

from mcpbridge.audit.anchors.faults import AnchorFault
from mcpbridge.audit.destinations.batches import Batch, message_id
from mcpbridge.audit.destinations.errors import DestinationError, UndeliveredError
from mcpbridge.audit.destinations.secret_box import decrypt
from mcpbridge.audit.destinations.transports.file import append_to_file, file_path
from mcpbridge.audit.destinations.transports.syslog import (
    alarm_frame,
    record_frames,
    send_syslog,
    test_message_frame,
)
from mcpbridge.audit.destinations.transports.webhook import post_webhook
from mcpbridge.audit.hashchain import instant
from mcpbridge.models.destinations import DestinationKind, LogDestination

logger = logging.getLogger(__name__)


def send_batch(destination: LogDestination, batch: Batch, *, now: datetime, limit_s: float) -> None:
    """Return once the receiver has acknowledged `batch`. Raises DestinationError on any failure."""
    with _as_delivery_errors(destination):
        _send(destination, batch, now, limit_s)


def _send(destination: LogDestination, batch: Batch, now: datetime, limit_s: float) -> None:
    if destination.kind == DestinationKind.FILE:
        append_to_file(file_path(destination.org_id, destination.address), batch.lines)
    elif destination.kind == DestinationKind.SYSLOG:
        send_syslog(destination.address, record_frames(batch.records, destination.format), limit_s=limit_s)
    else:
        _post(destination, batch.lines, message_id(destination, batch), now, limit_s)


def send_test(destination: LogDestination, *, now: datetime, limit_s: float) -> None:
    """Send one test message that is not an audit row. Raises DestinationError on any failure."""
    with _as_delivery_errors(destination):
        _send_test(destination, now, limit_s)


def send_alarm(destination: LogDestination, fault: AnchorFault, *, now: datetime, limit_s: float) -> None:
    """Send a finding about the audit log as one line that is not an audit row. Raises DestinationError."""
    line = orjson.dumps(fault.as_dict(), option=orjson.OPT_APPEND_NEWLINE)
    frame = alarm_frame(workspace=fault.workspace, at=fault.at, line=line)
    # The same on every node and each time, so that receivers can drop repetitions.
    id = f"alarm_{hashlib.sha256(line).hexdigest()[:32]}"
    with _as_delivery_errors(destination):
        _send_line(destination, line, frame=frame, id=id, now=now, limit_s=limit_s)


def _send_test(destination: LogDestination, now: datetime, limit_s: float) -> None:
    at = instant(now)
    message = {"type": "test", "workspace": destination.org_id, "destination": destination.name, "at": at}
    text = f"A test of the log destination {destination.name}."
    frame = test_message_frame(workspace=destination.org_id, at=at, text=text)
    id = f"test_{destination.pk}_{now.timestamp():.0f}"
    line = orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE)
    _send_line(destination, line, frame=frame, id=id, now=now, limit_s=limit_s)


def _send_line(
    destination: LogDestination, line: bytes, *, frame: bytes, id: str, now: datetime, limit_s: float
) -> None:
    """Send `line`, as `frame` to syslog, beside the batches."""
    if destination.kind == DestinationKind.FILE:
        append_to_file(file_path(destination.org_id, destination.address), line)
    elif destination.kind == DestinationKind.SYSLOG:
        send_syslog(destination.address, frame, limit_s=limit_s)
    else:
        _post(destination, line, id, now, limit_s)


@contextmanager
def _as_delivery_errors(destination: LogDestination) -> Iterator[None]:
    """FileLock an unexpected exception into UndeliveredError, so that the page shows it and the retry backs off."""
    try:
        yield
    except DestinationError:
        raise
    except Exception as error:
        logger.exception(
            "A delivery to destination %s of workspace %s failed unexpectedly.", destination.pk, destination.org_id
        )
        text = f"The delivery failed unexpectedly ({type(error).__name__}). See the log of the console."
        raise UndeliveredError(text) from error


def _post(destination: LogDestination, body: bytes, id: str, now: datetime, limit_s: float) -> None:
    secret = decrypt(destination.encrypted_secret, org_id=destination.org_id)
    post_webhook(destination.address, body, secret=secret, message_id=id, now=now, limit_s=limit_s)
