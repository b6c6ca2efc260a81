"""How log lines look: for people, or one JSON object a line; with the request they belong to, and without secrets."""

import logging
from contextvars import ContextVar
from datetime import UTC, datetime

import orjson

from mcpbridge.redaction import redact

# The id that the answer carries as X-Request-Id; empty where no request is being answered.
request_id: ContextVar[str] = ContextVar("request_id", default="")


class LineFormatter(logging.Formatter):
    """A line for people. The finished line is masked, tracebacks included."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        asked = request_id.get()
        return redact(f"{line} [request {asked}]" if asked else line)


class JsonFormatter(logging.Formatter):
    """A JSON object: at (UTC), level, logger, message, and where there is one request_id and error (a traceback)."""

    def format(self, record: logging.LogRecord) -> str:
        facts = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if asked := request_id.get():
            facts["request_id"] = asked
        if record.exc_info:
            facts["error"] = redact(self.formatException(record.exc_info))
        # Half a surrogate pair, which cannot be written, must not cost the line.
        return orjson.dumps({name: value.encode(errors="replace").decode() for name, value in facts.items()}).decode()
