"""gunicorn's ASGI worker with limits for its connections: one that is not used is closed in favour of one that is.

gunicorn waits without limit for the first request of a connection and for a client that does not read its response, and
accepts connections until no file can be opened any more, not even one for the database. It also stops all workers
where a single later one cannot start, for lack of room on a disk for example.
"""

import asyncio
import contextlib
import copy
import os
import resource
import signal
import time
from functools import cached_property
from typing import Any

import uvloop
from gunicorn.arbiter import Arbiter
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

# From the connection to the end of the first request's headers; gunicorn's `keepalive` limits later requests.
FIRST_REQUEST_S = 10.0
# How long a client may read nothing of a response that waits for it.
UNREAD_RESPONSE_S = 30.0
# What a worker opens besides its clients' connections: 256 to Hoursmith, the database, logs, itself.
OTHER_FILES = 400
# gunicorn's own setting does not reach the event loop, whose 100 are fewer than the callers of one busy moment.
BACKLOG = 2048
# Where a worker could not start, the next one is tried after this.
NEXT_TRY_S = 2.0
_CANNOT_START = (Arbiter.WORKER_BOOT_ERROR, Arbiter.APP_LOAD_ERROR)


class Worker(ASGIWorker):
    """A worker that limits its connections and, once it serves, stops the workers that it replaces."""

    loop: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Process ids of old workers, set by the master before it forks (see `reload`).
        self.replaces: list[int] = []
        self.connections: dict[Connection, None] = {}
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.most_connections = max(16, min(self.worker_connections, files - OTHER_FILES))

    @cached_property
    def config_without_grace(self) -> Any:
        """The configuration under which gunicorn drops a closed connection at once."""
        config = copy.deepcopy(self.cfg)
        config.set("asgi_disconnect_grace_period", 0)
        return config

    def init_process(self) -> None:
        """Serve until the worker has to stop."""
        try:
            super().init_process()
        except (Exception, SystemExit) as error:
            is_first = self.age <= self.cfg.workers
            if is_first or (isinstance(error, SystemExit) and error.code not in _CANNOT_START):
                # A setting that is wrong from the start must stop the start.
                raise
            self.log.exception("This worker could not start; another one will be tried.")
            time.sleep(NEXT_TRY_S)
            raise SystemExit(1) from None

    def init_signals(self) -> None:
        """Replace the event loop by one that makes our connections, before gunicorn binds signals to it."""
        self.loop.close()
        self.loop = _Loop(self)
        asyncio.set_event_loop(self.loop)
        super().init_signals()
        end_on_signals()

    def run(self) -> None:
        """Serve, and from then on end by stages when told to."""
        self.loop.call_soon(super().init_signals)
        super().run()

    def notify(self) -> None:
        """Tell the master that this worker serves; called every second, the first time when it listens."""
        super().notify()
        while self.replaces:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.replaces.pop(), signal.SIGTERM)

    def make_room(self) -> None:
        """Close the oldest connection without a request; the newest one has none."""
        next(each for each in self.connections if each.is_idle).close()


class Connection(ASGIProtocol):
    """A connection whose client must ask within time and read the response."""

    _first_request: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker)
        self.app = self.calls = _Calls(worker.asgi)

    @property
    def is_idle(self) -> bool:
        """Whether the application handles no request of it."""
        return not self.calls.running

    def close(self) -> None:
        """Close it as soon as the client has what was written."""
        self.worker.connections.pop(self, None)
        self.transport.close()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._first_request = self.worker.loop.call_later(FIRST_REQUEST_S, self._close_if_unused)
        self.worker.connections[self] = None
        if len(self.worker.connections) > self.worker.most_connections:
            self.worker.make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.is_idle:
            # No request needs the grace period, for which gunicorn would keep all of it in memory.
            self.cfg = self.worker.config_without_grace
            # The parser refers to its connection: without it there is no need to wait for the garbage collector.
            self._callback_parser = None
        super().connection_lost(exc)
        self.worker.connections.pop(self, None)
        for timer in (self._first_request, self._unread):
            if timer is not None:
                timer.cancel()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()

    def _close_if_unused(self) -> None:
        if not self.calls.begun:
            self.close()

    def _watch(self, unread: int) -> None:
        self._unread = self.worker.loop.call_later(UNREAD_RESPONSE_S, self._abort_if_unread, unread)

    def _abort_if_unread(self, before: int) -> None:
        unread = self.transport.get_write_buffer_size()
        if unread >= before:
            # Closing would wait for the client to read the rest.
            self.transport.abort()
        else:
            self._watch(unread)


def end_on_signals() -> None:
    """Let this process, a worker that does not serve yet, end on a signal to stop.

    Otherwise the signal is lost: the handlers that it was forked with are the master's, and the event loop's own
    take signals only while it runs.
    """
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(each, signal.SIG_DFL)


class _Calls:
    """The application as one connection calls it, with the number of calls."""

    __slots__ = ("_app", "begun", "running")

    def __init__(self, app: Any) -> None:
        self._app = app
        self.begun = self.running = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun += 1
        self.running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self.running -= 1


class _Loop(uvloop.Loop):
    """An event loop that serves every connection as a `Connection` of its worker."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    async def create_server(self, protocol_factory: Any, *arguments: Any, **options: Any) -> Any:
        options["backlog"] = BACKLOG
        return await super().create_server(lambda: Connection(self._worker), *arguments, **options)
