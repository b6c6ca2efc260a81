"""Sends a batch by the way of its sink."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import orjson

from mcpbridge.audit.destinations.batches import Batch, message_id
from mcpbridge.audit.destinations.errors import SinkError, UndeliveredError
from mcpbridge.audit.destinations.secret_box import unseal
from mcpbridge.audit.destinations.transports.file import file_append, file_path
from mcpbridge.audit.destinations.transports.syslog import record_frames, syslog_send, trial_frame
from mcpbridge.audit.destinations.transports.webhook import webhook_post
from mcpbridge.audit.hashchain import instant
from mcpbridge.models.destinations import Sink, SinkKind

logger = logging.getLogger(__name__)


def batch_send(sink: Sink, batch: Batch, *, now: datetime, limit_s: float) -> None:
    """Return once the receiver has confirmed `batch`. Raises SinkError where it has not, for whatever reason."""
    with _told(sink):
        _send(sink, batch, now, limit_s)


def _send(sink: Sink, batch: Batch, now: datetime, limit_s: float) -> None:
    if sink.kind == SinkKind.FILE:
        file_append(file_path(sink.org_id, sink.address), batch.lines)
    elif sink.kind == SinkKind.SYSLOG:
        syslog_send(sink.address, record_frames(batch.records, sink.format), limit_s=limit_s)
    else:
        _post(sink, batch.lines, message_id(sink, batch), now, limit_s)


def trial_send(sink: Sink, *, now: datetime, limit_s: float) -> None:
    """The same with one message that is no row and says so."""
    with _told(sink):
        _send_trial(sink, now, limit_s)


def _send_trial(sink: Sink, now: datetime, limit_s: float) -> None:
    at = instant(now)
    said = {"type": "test", "workspace": sink.org_id, "sink": sink.name, "at": at}
    line = orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE)
    if sink.kind == SinkKind.FILE:
        file_append(file_path(sink.org_id, sink.address), line)
    elif sink.kind == SinkKind.SYSLOG:
        text = f"A test of the sink {sink.name}."
        syslog_send(sink.address, trial_frame(workspace=sink.org_id, at=at, text=text), limit_s=limit_s)
    else:
        _post(sink, line, f"test_{sink.pk}_{now.timestamp():.0f}", now, limit_s)


@contextmanager
def _told(sink: Sink) -> Iterator[None]:
    """Turn what nobody foresaw into a failed delivery, so that the page says so and the next try waits."""
    try:
        yield
    except SinkError:
        raise
    except Exception as error:
        logger.exception("A delivery to sink %s of workspace %s failed unexpectedly.", sink.pk, sink.org_id)
        text = f"The delivery failed unexpectedly ({type(error).__name__}). The console's own log says more."
        raise UndeliveredError(text) from error


def _post(sink: Sink, body: bytes, id: str, now: datetime, limit_s: float) -> None:
    secret = unseal(sink.sealed_secret, org_id=sink.org_id)
    webhook_post(sink.address, body, secret=secret, message_id=id, now=now, limit_s=limit_s)
