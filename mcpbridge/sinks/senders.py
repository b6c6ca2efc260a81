"""Sends a batch by the way of its sink."""

from datetime import datetime

import orjson

from mcpbridge.chain import instant
from mcpbridge.sinks.batches import Batch, message_id
from mcpbridge.sinks.files import file_append, file_path
from mcpbridge.sinks.models import Sink, SinkKind
from mcpbridge.sinks.sealing import unseal
from mcpbridge.sinks.syslog import record_frames, syslog_send, trial_frame
from mcpbridge.sinks.webhook import webhook_post


def batch_send(sink: Sink, batch: Batch, *, now: datetime, limit_s: float) -> None:
    """Return once the receiver has confirmed `batch`. Raises SinkError where it has not."""
    if sink.kind == SinkKind.FILE:
        file_append(file_path(sink.org_id, sink.address), batch.lines)
    elif sink.kind == SinkKind.SYSLOG:
        syslog_send(sink.address, record_frames(batch.records, sink.format), limit_s=limit_s)
    else:
        _post(sink, batch.lines, message_id(sink, batch), now, limit_s)


def trial_send(sink: Sink, *, now: datetime, limit_s: float) -> None:
    """The same with one message that is no row and says so."""
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


def _post(sink: Sink, body: bytes, id: str, now: datetime, limit_s: float) -> None:
    secret = unseal(sink.sealed_secret, org_id=sink.org_id)
    webhook_post(sink.address, body, secret=secret, message_id=id, now=now, limit_s=limit_s)
