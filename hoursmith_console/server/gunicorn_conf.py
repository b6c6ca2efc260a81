"""How gunicorn serves the console, with `make run` and in production alike.

gunicorn --config python:hoursmith_console.server.gunicorn_conf hoursmith_console.asgi:application
"""

import gc
import resource
import sys
from typing import Any

from django.conf import settings
from gunicorn.glogging import Logger

import hoursmith_console.server.preload  # noqa: F401 – for the workers, which are forked from here
from hoursmith_console.backends.postgresql.pooling import find_pooling_fault
from hoursmith_console.server.prometheus import discard_gauges, reserve_counters, share_counters
from hoursmith_console.server.reload import rolling_reload
from hoursmith_console.server.worker import end_on_signals

share_counters(settings.VAR_DIR / "metrics")

# The usual limit of 1024 open files is less than the connections that a worker may have.
_FILES = 16_384
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if resource.RLIM_INFINITY != _soft < _FILES:
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (_FILES if _hard == resource.RLIM_INFINITY else min(_FILES, _hard), _hard)
    )


class QuietLogger(Logger):
    """Keeps no access log: the bridge keeps the activity, and gunicorn would prepare each line it does not print."""

    access_log_enabled = False


logger_class = QuietLogger

bind = f"{settings.HOST}:{settings.PORT}"
workers = settings.WEB_CONCURRENCY
# On gunicorn's own ASGI worker: uvicorn's is a little faster on nothing, but hangs on SIGQUIT and outlives its master.
worker_class = "hoursmith_console.server.worker.Worker"
asgi_lifespan = "on"
# Each costs a worker 8 kB; those that are idle give way to new ones.
worker_connections = 4000
# Below the graceful time-out, or each restart would wait for idle connections.
keepalive = 5
graceful_timeout = 30
timeout = 60
# A client that goes away must not cut a call short whose outcome is still to be recorded.
asgi_disconnect_grace_period = 30
# It would open a control socket in the home directory.
control_socket_disable = True
forwarded_allow_ips = ""
logconfig_dict = {
    **settings.LOGGING,
    "loggers": {"gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False}},
}


def on_starting(server: Any) -> None:
    """Refuse a pooler that would lose what is said on a connection."""
    if settings.DATABASES["default"]["ENGINE"] == "hoursmith_console.backends.postgresql" and (
        fault := find_pooling_fault(settings.DATABASES["default"], settings.DATABASE_DIRECT_URL)
    ):
        sys.exit(f"Not started: {fault}")


def when_ready(server: Any) -> None:
    """Keep the workers' garbage collectors off what they share: each object they looked at would become their own."""
    gc.collect()
    gc.freeze()


def on_reload(server: Any) -> None:
    """Let the old workers serve until the new ones do."""
    rolling_reload.begin(server)


def pre_fork(server: Any, worker: Any) -> None:
    """Tell the worker which old ones it replaces."""
    rolling_reload.assign(server, worker)


def post_fork(server: Any, worker: Any) -> None:
    """Let the worker end when told to, and count where the others do."""
    end_on_signals()
    reserve_counters(worker.pid)


def child_exit(server: Any, worker: Any) -> None:
    """Forget what a worker that exited had waiting."""
    rolling_reload.end_worker(server, worker)
    discard_gauges(worker.pid)
