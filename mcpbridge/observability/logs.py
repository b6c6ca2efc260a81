"""Format log records as text or as JSON lines, with their request id and without secrets."""

import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson

from mcpbridge.redaction.masking import redact

# The X-Request-Id of the current request; empty outside of one.
request_id: ContextVar[str] = ContextVar("request_id", default="")


# Line ends, terminal control and direction-changing characters, which names from clients may contain.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class LineFormatter(logging.Formatter):
    """Formats one line of text, masked; a traceback follows in indented lines."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record.message = _message(record)
        record.asctime = self.formatTime(record)
        lines = [self.formatMessage(record)]
        if asked := request_id.get():
            lines[0] += f" [request {asked}]"
        if record.exc_info:
            lines += [f"  {line}" for line in self.formatException(record.exc_info).split("\n")]
        return redact("\n".join(_STEERING.sub(_escaped, line) for line in lines))


class JsonFormatter(logging.Formatter):
    """Formats a JSON object: at (UTC), level, logger, message, and if any, request_id and error (a traceback)."""

    def format(self, record: logging.LogRecord) -> str:
        facts = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(_message(record)),
        }
        if asked := request_id.get():
            facts["request_id"] = asked
        if record.exc_info:
            facts["error"] = redact(self.formatException(record.exc_info))
        # An unpaired surrogate cannot be encoded, and must not lose the line.
        line = orjson.dumps({name: value.encode(errors="replace").decode() for name, value in facts.items()}).decode()
        return _STEERING.sub(_escaped, line)


def _message(record: logging.LogRecord) -> str:
    """Return the record's message; if its arguments do not fit the format, the format and then the arguments.

    The logging library would print those to standard error itself, unmasked.
    """
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args!r}"


def _escaped(match: re.Match[str]) -> str:
    """Escape a character as in JSON."""
    return f"\\u{ord(match[0]):04x}"


def logging_settings(format: str, level: str) -> dict[str, Any]:
    """Return Django's LOGGING: everything from `level` to stderr, in `format`, which is `line` or `json`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"()": "mcpbridge.observability.logs.LineFormatter"},
            "json": {"()": "mcpbridge.observability.logs.JsonFormatter"},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": format}},
        "root": {"handlers": ["stderr"], "level": level},
        # No handlers of their own: Django's would print unmasked lines and email tracebacks.
        "loggers": {"django": {"handlers": []}, "django.server": {"handlers": [], "propagate": True}},
    }
