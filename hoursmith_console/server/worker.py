"""gunicorn's worker process with uvicorn as its HTTP server.

gunicorn supervises: it forks workers, replaces those that end and passes signals on. uvicorn serves, because its
parser (llhttp) takes a third of the time that gunicorn's own needs.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any, cast

import uvloop
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker as BaseWorker
from uvicorn import Config, Server

from hoursmith_console.server.connections import Connections

# gunicorn's default; uvicorn listens again on its sockets, with its own.
BACKLOG = 2048
# Where a worker could not start, the next one is tried after this.
NEXT_TRY_S = 2.0
_CANNOT_START = (Arbiter.WORKER_BOOT_ERROR, Arbiter.APP_LOAD_ERROR)


class Worker(BaseWorker):
    """A worker that limits its connections and, once it serves, stops the workers that it replaces."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Process ids of old workers, set by the master before it forks (see `reload`).
        self.replaces: list[int] = []

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

    def load_wsgi(self) -> None:
        """Load the application without looking for garbage: what is loaded stays, and the application says so."""
        gc.disable()
        try:
            super().load_wsgi()
        finally:
            gc.enable()

    def init_signals(self) -> None:
        """Let signals end the process until it serves."""
        for each in self.SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, self.handle_usr1)
        # From the master, where the worker no longer tells it that it serves.
        signal.signal(signal.SIGABRT, self.handle_abort)

    def run(self) -> None:
        """Serve until a signal or the end of the master."""
        config = Config(
            self.wsgi,
            # Whatever makes protocols, as far as uvicorn uses it.
            http=cast(type[asyncio.Protocol], Connections(self.cfg.worker_connections)),
            ws="none",
            lifespan=self.cfg.asgi_lifespan,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=self.cfg.keepalive,
            timeout_graceful_shutdown=self.cfg.graceful_timeout,
            timeout_notify=0,
            callback_notify=self._notify,
        )
        server = _Server(config, self)
        uvloop.run(server.serve(sockets=[each.sock for each in self.sockets]))

    async def _notify(self) -> None:
        """Tell the master that this worker serves; called every second, the first time when it listens."""
        self.notify()
        while self.replaces:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.replaces.pop(), signal.SIGTERM)


def end_on_signals() -> None:
    """Let this process, a worker that does not serve yet, end on a signal to stop.

    Otherwise the signal is lost: the handlers that it was forked with are the master's.
    """
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(each, signal.SIG_DFL)


class _Server(Server):
    """uvicorn's server as a worker of gunicorn's: SIGTERM ends it gracefully, SIGINT and SIGQUIT at once.

    At once means without waiting for connections. The application ends in order, whatever the signal.
    """

    def __init__(self, config: Config, worker: Worker) -> None:
        super().__init__(config)
        self._worker = worker

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals in the event loop; afterwards the process ends with exit code 0."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        for each in (signal.SIGINT, signal.SIGQUIT):
            loop.add_signal_handler(each, self._stop_at_once)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen."""
        await super().startup(sockets)
        self._worker.log.info("Worker listening on %s", ", ".join(map(str, self._worker.sockets)))

    async def on_tick(self, counter: int) -> bool:
        """Return whether to end; without its master a worker does."""
        if self._worker.ppid != os.getppid():
            self._worker.log.info("The master is gone.")
            return True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End connections, then the application."""
        self._worker.log.info("Worker shutting down")
        await super().shutdown(sockets)
        if self.force_exit:
            # uvicorn leaves it out, and what the application has yet to write would be lost.
            await self.lifespan.shutdown()

    def _stop(self) -> None:
        self.should_exit = True

    def _stop_at_once(self) -> None:
        self.should_exit = self.force_exit = True
