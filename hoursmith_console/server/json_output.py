"""Write everything that this process prints as JSON lines, from its first line on: LOG_FORMAT=json.

Log records are JSON already. The rest is what Python and libraries print: tracebacks, warnings, errors of gunicorn
before its log is set up, refused settings. What the interpreter writes itself as it crashes is not reached.
"""

import atexit
import io
import json
import logging
import os
import sys
import threading
from types import TracebackType
from typing import Any

_Raised = tuple[type[BaseException], BaseException, TracebackType | None]


def is_wanted() -> bool:
    """Return whether the environment asks for JSON lines."""
    return os.environ.get("LOG_FORMAT", "").lower() == "json"


def print_json_lines() -> None:
    """Replace standard output and error, and the hooks for uncaught exceptions, if JSON lines are wanted."""
    if not is_wanted() or isinstance(sys.stderr, JsonLines):
        return
    sys.stdout = JsonLines(1, "stdout", logging.INFO)
    sys.stderr = JsonLines(2, "stderr", logging.ERROR)
    atexit.register(sys.stdout.flush)
    atexit.register(sys.stderr.flush)
    logging.captureWarnings(True)
    sys.excepthook = _tell_uncaught
    threading.excepthook = _tell_uncaught_in_thread
    sys.unraisablehook = _tell_unraisable


class JsonLines(io.TextIOBase):
    """A text stream that writes each line as a JSON object, with tokens masked; such objects are passed on."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, descriptor: int, name: str, level: int) -> None:
        self._descriptor, self._name, self._level = descriptor, name, level
        # Of each thread, so that lines of several are not mixed.
        self._begun = threading.local()

    def fileno(self) -> int:
        """Return the file descriptor, for processes that this one starts."""
        return self._descriptor

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Write the lines that end in `text`; the rest waits for its end."""
        *lines, rest = (getattr(self._begun, "text", "") + text).split("\n")
        self._begun.text = rest
        for line in lines:
            self._write_line(line)
        return len(text)

    def flush(self) -> None:
        """Write what has no end yet."""
        rest, self._begun.text = getattr(self._begun, "text", ""), ""
        self._write_line(rest)

    def _write_line(self, line: str) -> None:
        if line.strip():
            self.write_object(line if _is_object(line) else json_line(self._name, self._level, line.strip()))

    def write_object(self, line: str) -> None:
        """Write a line as it is."""
        data = (line + "\n").encode(errors="replace")
        while data:
            data = data[os.write(self._descriptor, data) :]


def _is_object(line: str) -> bool:
    """Return whether our log formatted `line`."""
    try:
        return line.startswith('{"at":') and isinstance(json.loads(line), dict)
    except ValueError:
        return False


def json_line(name: str, level: int, message: str, error: _Raised | None = None) -> str:
    """Return `message` as our log formats it; only its level if that cannot be loaded, since it may hold a secret."""
    try:
        from mcpbridge.observability.logs import JsonFormatter
    except Exception as broken:
        said = f"The program cannot be loaded: {type(broken).__name__}."
        return json.dumps({"level": logging.getLevelName(level), "logger": name, "message": said})
    return JsonFormatter().format(logging.LogRecord(name, level, "", 0, message, (), error))


def _tell(message: str, error: _Raised) -> None:
    if isinstance(sys.stderr, JsonLines):
        sys.stderr.write_object(json_line("uncaught", logging.CRITICAL, message, error))


def _tell_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _tell(f"Uncaught {kind.__name__}", (kind, error, trace))


def _tell_uncaught_in_thread(found: threading.ExceptHookArgs) -> None:
    if found.exc_type is not SystemExit and found.exc_value is not None:
        name = found.thread.name if found.thread else "a thread"
        _tell(f"Uncaught {found.exc_type.__name__} in {name}", (found.exc_type, found.exc_value, found.exc_traceback))


def _tell_unraisable(found: Any) -> None:
    error = found.exc_value or found.exc_type()
    _tell(
        f"Ignored {found.exc_type.__name__}: {found.err_msg or 'in a finalizer'}",
        (type(error), error, found.exc_traceback),
    )
