"""How log lines look: for people, or one JSON object a line; with the request they belong to, and without secrets."""

import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime

import orjson

from mcpbridge.redaction.masking import redact

# The id that the answer carries as X-Request-Id; empty where no request is being answered.
request_id: ContextVar[str] = ContextVar("request_id", default="")


# What ends a line somewhere, steers a terminal or turns the text around: names that strangers give may hold it.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class LineFormatter(logging.Formatter):
    """A line for people. The finished line is masked; a traceback follows in lines that are set in."""

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
    """A JSON object: at (UTC), level, logger, message, and where there is one request_id and error (a traceback)."""

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
        # Half a surrogate pair, which cannot be written, must not cost the line.
        line = orjson.dumps({name: value.encode(errors="replace").decode() for name, value in facts.items()}).decode()
        return _STEERING.sub(_escaped, line)


def _message(record: logging.LogRecord) -> str:
    """What the record says. Where its parts do not fit, they come one after the other.

    The library would print those to standard error itself, unmasked.
    """
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args!r}"


def _escaped(match: re.Match[str]) -> str:
    """As JSON writes it."""
    return f"\\u{ord(match[0]):04x}"
