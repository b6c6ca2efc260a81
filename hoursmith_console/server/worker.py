"""gunicorn's ASGI worker, with an end to its patience: a connection that nobody uses gives way to one that is used.

By itself it waits for ever for the first request of a connection and for a client that does not read its answer, and
takes connections until it can open no file any more, not even one for the database. Its master ends the old workers
of a reload before the new ones have loaded the application, which leaves every caller waiting for that; and it ends all
workers where a single later one cannot start, for lack of room on a disk for example.
"""

import asyncio
import resource
import time
from typing import Any

import uvloop
from gunicorn.arbiter import Arbiter
from gunicorn.asgi.parser import PythonProtocol
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

from hoursmith_console.server.parser import Parser

# From the first byte, or from the connection on, to the end of the headers; later requests have `keepalive`.
FIRST_REQUEST_S = 10.0
# How long a client may take nothing at all of an answer that waits for it.
UNREAD_ANSWER_S = 30.0
# What a worker opens besides the lines of callers: 256 to Hoursmith, the database, logs, itself.
OTHER_FILES = 400
# gunicorn's own setting does not reach the event loop, whose 100 are fewer than the callers of one busy moment.
BACKLOG = 2048
# What new workers have to begin serving in before the old ones end all the same.
LOADING_S = 120.0
# Where a worker could not start, the next one is tried after this.
NEXT_TRY_S = 2.0
_CANNOT_START = (Arbiter.WORKER_BOOT_ERROR, Arbiter.APP_LOAD_ERROR)


class Worker(ASGIWorker):
    """A worker whose connections are counted, and of which the idle ones end."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lines: dict[Line, None] = {}
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.lines_at_most = max(16, min(self.worker_connections, files - OTHER_FILES))

    def init_process(self) -> None:
        """Serve until it is time to end."""
        try:
            super().init_process()
        except (Exception, SystemExit) as error:
            is_first = self.age <= self.cfg.workers
            if is_first or (isinstance(error, SystemExit) and error.code not in _CANNOT_START):
                # A setting that is wrong from the start shall stop the start.
                raise
            self.log.exception("This worker could not start; another one will be tried.")
            time.sleep(NEXT_TRY_S)
            raise SystemExit(1) from None

    def _setup_event_loop(self) -> None:
        self.loop = _Loop(self)
        asyncio.set_event_loop(self.loop)

    def make_room(self) -> None:
        """End the eldest connection that waits for a request; where all are at work, the newest."""
        eldest = next((line for line in self.lines if line.is_idle), None)
        (eldest or next(reversed(self.lines))).end()


class Line(ASGIProtocol):
    """One connection, whose client must ask within time and take what it asked for."""

    _task: asyncio.Task[None] | None
    _callback_parser: Any
    _unread: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked on it just now."""
        return self._awaiting_request and not self._finishing_calls

    def end(self) -> None:
        """Close it, as after `keepalive` seconds without a request."""
        self._keepalive_timeout()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # Called off with the first request, as the one that gunicorn sets before each further request.
        self._keepalive_handle = self.worker.loop.call_later(FIRST_REQUEST_S, self.end)
        self.worker.lines[self] = None
        if len(self.worker.lines) > self.worker.lines_at_most:
            self.worker.make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.is_idle and self._task is not None:
            # Nothing is under way that deserves the time of grace, in which gunicorn would keep all of it in memory.
            self._task.cancel()
            # The parser knows its line, too: without the knot there is no need to wait for the garbage collector.
            self._task = self._callback_parser = None
        super().connection_lost(exc)
        self.worker.lines.pop(self, None)
        self._is_read_again()

    def _setup_callback_parser(self) -> None:
        super()._setup_callback_parser()
        # Where gunicorn has its parser in C, that one stays.
        if type(self._callback_parser) is PythonProtocol:
            self._callback_parser.__class__ = Parser

    def _http1_buffered(self) -> int:
        parser = self._callback_parser
        # What waits behind a request, gunicorn counts for its own parser alone.
        waiting = len(parser._buffer) if type(parser) is Parser and parser.is_complete else 0
        return int(super()._http1_buffered()) + waiting

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._is_read_again()

    def _watch(self, unread: int) -> None:
        self._unread = self.worker.loop.call_later(UNREAD_ANSWER_S, self._look_again, unread)

    def _look_again(self, before: int) -> None:
        unread = self.transport.get_write_buffer_size()
        if unread >= before:
            # Closing would wait for the client to take the rest.
            self.transport.abort()
        else:
            self._watch(unread)

    def _is_read_again(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


class _Loop(uvloop.Loop):
    """An event loop that serves every connection as a `Line` of its worker."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    async def create_server(self, protocol_factory: Any, *arguments: Any, **options: Any) -> Any:
        return await super().create_server(lambda: Line(self._worker), *arguments, **{**options, "backlog": BACKLOG})


def workers_overlap(server: Any) -> None:
    """Called by the master in the middle of a reload: it will end the old workers once the new ones serve.

    gunicorn forks the new ones and then, in `manage_workers`, at once ends the old ones; there is no hook in between.
    """
    old = set(server.WORKERS)

    def manage_workers() -> None:
        del server.manage_workers
        give_up_at = time.monotonic() + LOADING_S
        while time.monotonic() < give_up_at:
            new = [worker for pid, worker in server.WORKERS.items() if pid not in old]
            if all(_serves(worker) for worker in new):
                break
            time.sleep(0.05)
            # One that cannot start ends the master, as it does at any other time.
            server.reap_workers()
        server.manage_workers()

    server.manage_workers = manage_workers


def _serves(worker: Any) -> bool:
    # A worker that serves writes the time since the machine's start into its file's date; before, that is today's.
    return bool(worker.tmp.last_update() <= time.monotonic())
